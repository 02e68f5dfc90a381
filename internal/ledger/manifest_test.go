package ledger

import (
	"bytes"
	"fmt"
	"hash/crc32"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/memory"
)

func wholeManifest(t *testing.T) (*manifest, []byte) {
	t.Helper()
	m := &manifest{
		Epoch: 7, Commit: "c", Holder: "h",
		Base:  []segmentInfo{{Name: "segment-A.parquet", Rows: 2, Size: 9, CRC32C: 1, First: []byte("a"), Last: []byte("\xff")}},
		Delta: []segmentInfo{{Name: "segment-B.parquet", Rows: 2, Size: 9, CRC32C: 1, First: []byte("a"), Last: []byte("b"), Gone: 1}},
	}
	data, err := m.encode()
	require.NoError(t, err)
	got, err := decodeManifest(data)
	require.NoError(t, err)
	require.Equal(t, m, got)
	return m, data
}

func TestEveryTruncatedManifestIsDamaged(t *testing.T) {
	_, data := wholeManifest(t)
	for n := range data {
		_, err := decodeManifest(data[:n])
		require.ErrorIs(t, err, ErrDamaged, "%q", data[:n])
	}
	_, err := decodeManifest(append(bytes.Clone(data), '\n'))
	require.ErrorIs(t, err, ErrDamaged)
}

// A flipped bit makes a manifest damaged, but for those that make its version a
// later one: that is refused, since guessing wrong would throw a ledger away.
func TestEveryFlippedBitOfAManifestIsNoticed(t *testing.T) {
	_, data := wholeManifest(t)
	version := len(manifestMagic) + 1
	later := 0
	for i := range data {
		for bit := range 8 {
			flipped := bytes.Clone(data)
			flipped[i] ^= 1 << bit
			_, err := decodeManifest(flipped)
			require.Error(t, err, "%q", flipped)
			if i == version && flipped[i] > '1' && flipped[i] <= '9' {
				require.ErrorContains(t, err, fmt.Sprintf("format version %c;", flipped[i]))
				later++
				continue
			}
			require.ErrorIs(t, err, ErrDamaged, "%q", flipped)
		}
	}
	require.Equal(t, 3, later, "3, 5 and 9")
}

func TestOnlyALaterVersionOfAManifestIsRefused(t *testing.T) {
	body := []byte("{}")
	for version, damaged := range map[string]bool{"2": false, "10": false, "0": true, "-1": true, "": true, "one": true, "01": true, "1.5": true} {
		data := fmt.Appendf(nil, "objrepl-ledger %s %08x %d\n%s", version, crc32.Checksum(body, castagnoli), len(body), body)
		_, err := decodeManifest(data)
		require.Error(t, err, version)
		if damaged {
			require.ErrorIs(t, err, ErrDamaged, version)
			continue
		}
		require.NotErrorIs(t, err, ErrDamaged, version)
		require.ErrorContains(t, err, "format version "+version+"; this program reads version 1")
	}
}

func TestImpossibleManifestsAreDamaged(t *testing.T) {
	for what, change := range map[string]func(*manifest){
		"a path":            func(m *manifest) { m.Base[0].Name = "segment-../x.parquet" },
		"not a segment":     func(m *manifest) { m.Base[0].Name = "manifest" },
		"one segment twice": func(m *manifest) { m.Delta[0].Name = m.Base[0].Name },
		"no rows":           func(m *manifest) { m.Base[0].Rows = 0 },
		"no bytes":          func(m *manifest) { m.Delta[0].Size = 0 },
		"more gone":         func(m *manifest) { m.Delta[0].Gone = 3 },
		"less than none":    func(m *manifest) { m.Delta[0].Gone = -1 },
		"backwards":         func(m *manifest) { m.Base[0].First, m.Base[0].Last = m.Base[0].Last, m.Base[0].First },
		"overlapping": func(m *manifest) {
			m.Base = append(m.Base, segmentInfo{Name: "segment-C.parquet", Rows: 1, Size: 1, First: []byte("b"), Last: []byte("c")})
		},
	} {
		m, _ := wholeManifest(t)
		change(m)
		data, err := m.encode()
		require.NoError(t, err)
		_, err = decodeManifest(data)
		require.ErrorIs(t, err, ErrDamaged, what)
	}
}

func TestALaterManifestIsLeftUntouched(t *testing.T) {
	b := memory.NewBackend()
	l := open(t, b)
	put(t, l, "a")
	const later = "objrepl-ledger 2 and whatever comes then\n"
	_, err := b.Put(t.Context(), "state/manifest", backend.Bytes([]byte(later)), backend.PutOptions{})
	require.NoError(t, err)
	_, err = Open(t.Context(), Options{Backend: b, Prefix: "state/", Scratch: t.TempDir()})
	require.ErrorContains(t, err, "format version 2; this program reads version 1")
	// Nor does a writer of this version that was at work replace it.
	u := l.Begin()
	require.NoError(t, u.Put(t.Context(), entry("b", 1)))
	require.Error(t, u.Commit(t.Context()))
	require.Error(t, l.Take(t.Context(), "me"))
	require.Equal(t, later, string(content(t, b, "state/manifest")))
}

func TestSettingAsideKeepsTheDamagedManifestAndRemovesNoOther(t *testing.T) {
	b := memory.NewBackend()
	o := Options{Backend: b, Prefix: "state/", Scratch: t.TempDir()}
	damage := func() {
		_, err := b.Put(t.Context(), "state/manifest", backend.Bytes([]byte("objrepl")), backend.PutOptions{})
		require.NoError(t, err)
	}
	damage()
	name, err := SetAside(t.Context(), o)
	require.NoError(t, err)
	require.Equal(t, "objrepl", string(content(t, b, "state/"+name)))
	l, err := Open(t.Context(), o)
	require.NoError(t, err)
	require.Empty(t, readAll(t, l))

	// Another writer does the same, and goes on, before this one has done it.
	damage()
	other := &staged{Backend: b}
	other.before = func() {
		_, err := SetAside(t.Context(), o)
		require.NoError(t, err)
		put(t, open(t, b), "a")
	}
	o.Backend = other
	_, err = SetAside(t.Context(), o)
	require.NoError(t, err)
	require.Equal(t, []string{"a"}, keys(t, open(t, b)))
}

func TestAMissingManifestIsDamageWhereThereAreSegments(t *testing.T) {
	b := memory.NewBackend()
	o := Options{Backend: b, Prefix: "state/", Scratch: t.TempDir()}
	put(t, open(t, b), "a")
	require.NoError(t, b.Delete(t.Context(), "state/manifest", backend.DeleteOptions{}))
	_, err := Open(t.Context(), o)
	require.ErrorIs(t, err, ErrDamaged)
	require.ErrorContains(t, err, "manifest of 1 segments is missing")
	name, err := SetAside(t.Context(), o)
	require.NoError(t, err)
	require.Empty(t, name)
	require.Empty(t, keys(t, open(t, b)))
	require.Zero(t, segmentsIn(t, b))
}

// content returns the bytes of an object.
func content(t *testing.T, b backend.Backend, key string) []byte {
	t.Helper()
	_, r, err := b.Open(t.Context(), key, backend.OpenOptions{})
	require.NoError(t, err)
	var data bytes.Buffer
	_, err = data.ReadFrom(r)
	require.NoError(t, err)
	require.NoError(t, r.Close())
	return data.Bytes()
}
