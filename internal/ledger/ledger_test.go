package ledger

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/local"
	"github.com/objrepl/replication/backend/memory"
)

// open opens a ledger in a backend and takes it.
func open(t testing.TB, b backend.Backend) *Ledger {
	t.Helper()
	l, err := Open(t.Context(), Options{Backend: b, Prefix: "state/", Scratch: t.TempDir()})
	require.NoError(t, err)
	require.NoError(t, l.Take(t.Context(), t.Name()))
	return l
}

// directory is a local backend on a directory of its own.
func directory(t testing.TB) (backend.Backend, string) {
	t.Helper()
	dir := t.TempDir()
	b, err := local.Driver.Open(t.Context(), backend.Settings{"path": dir, "create": "true", "durability": "none", "symlinks": "skip", "mode": "ignore"})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.Close()) })
	return b, dir
}

func readRange(t require.TestingT, l *Ledger, after, until string) []Entry {
	c, err := l.Read(context.Background(), after, until)
	require.NoError(t, err)
	var out []Entry
	for {
		e, err := c.Next(context.Background())
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		out = append(out, e)
	}
	require.NoError(t, c.Close())
	return out
}

func readAll(t require.TestingT, l *Ledger) []Entry { return readRange(t, l, "", "") }

func entry(key string, n int64) Entry {
	return Entry{
		Key: key, SourceTag: fmt.Sprintf("s%d", n), SourceSize: n, SourceStamp: fmt.Sprintf("c%d", n),
		DestinationTag: fmt.Sprintf("d%d", n), Digest: []byte("0123456789abcdef"), Adopted: n%2 == 1,
	}
}

// fill commits n entries, in several base segments if there are many.
func fill(t testing.TB, l *Ledger, n int) {
	t.Helper()
	u := l.Begin()
	for i := range n {
		require.NoError(t, u.Put(t.Context(), entry(fmt.Sprintf("%08d", i), int64(i))))
	}
	require.NoError(t, u.Commit(t.Context()))
}

func TestEntriesComeBackAsTheyWerePut(t *testing.T) {
	b, _ := directory(t)
	for name, b := range map[string]backend.Backend{"directory": b, "store": memory.NewBackend()} {
		t.Run(name, func(t *testing.T) {
			l := open(t, b)
			require.Empty(t, readAll(t, l))
			want := []Entry{entry("", 0), entry("a", 1), entry("a/ü", 2), entry("b\x00\xff", 3)}
			u := l.Begin()
			for _, e := range want {
				require.NoError(t, u.Put(t.Context(), e))
			}
			require.Empty(t, readAll(t, l), "nothing shows before the commit")
			require.NoError(t, u.Commit(t.Context()))
			require.Equal(t, want, readAll(t, l))
			again, err := Open(t.Context(), Options{Backend: b, Prefix: "state/", Scratch: t.TempDir()})
			require.NoError(t, err)
			require.Equal(t, want, readAll(t, again))
		})
	}
}

func TestADiscardedUpdateLeavesNothing(t *testing.T) {
	b := memory.NewBackend()
	l := open(t, b)
	u := l.Begin()
	for i := range rowsPerRowGroup + 1 {
		require.NoError(t, u.Put(t.Context(), entry(fmt.Sprintf("%08d", i), 1)))
	}
	require.NoError(t, u.Discard())
	require.Empty(t, readAll(t, l))
	require.NoError(t, l.Take(t.Context(), "again"))
	require.Equal(t, 1, b.Len(), "the manifest alone")
}

func TestAnUpdateWithoutChangesWritesNothing(t *testing.T) {
	b := memory.NewBackend()
	l := open(t, b)
	fill(t, l, 3)
	tag := l.tag
	require.NoError(t, l.Begin().Commit(t.Context()))
	require.NoError(t, l.Compact(t.Context()))
	require.Equal(t, tag, l.tag)
}

func TestACursorKeepsReadingWhatItFound(t *testing.T) {
	l := open(t, memory.NewBackend())
	fill(t, l, 5000)
	c, err := l.Read(t.Context(), "", "")
	require.NoError(t, err)
	u := l.Begin()
	for i := range 5000 {
		require.NoError(t, u.Delete(t.Context(), fmt.Sprintf("%08d", i)))
	}
	require.NoError(t, u.Commit(t.Context()))
	require.Empty(t, readAll(t, l))
	n := 0
	for ; ; n++ {
		if _, err := c.Next(t.Context()); errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
	}
	require.Equal(t, 5000, n)
	require.NoError(t, c.Close())
}

// A ledger behaves as a map does, whatever the order of changes, commits,
// compactions and restarts, and whatever range is read.
func TestLedgerAgreesWithAMap(t *testing.T) {
	keys := []string{"", "a", "a-b", "a/b", "b", "ü", "z/z"}
	rapid.Check(t, func(rt *rapid.T) {
		b := memory.NewBackend(memory.WithPageSize(2))
		l := open(t, b)
		model := map[string]Entry{}
		for range rapid.IntRange(1, 12).Draw(rt, "commits") {
			next := maps.Clone(model)
			u := l.Begin()
			for i := range rapid.IntRange(0, 8).Draw(rt, "changes") {
				key := rapid.SampledFrom(keys).Draw(rt, "key")
				if rapid.Bool().Draw(rt, "delete") {
					require.NoError(rt, u.Delete(t.Context(), key))
					delete(next, key)
				} else {
					e := entry(key, int64(i))
					require.NoError(rt, u.Put(t.Context(), e))
					next[key] = e
				}
			}
			switch rapid.SampledFrom([]string{"commit", "discard", "compact", "restart"}).Draw(rt, "then") {
			case "commit":
				require.NoError(rt, u.Commit(t.Context()))
				model = next
			case "compact":
				require.NoError(rt, u.Commit(t.Context()))
				model = next
				require.NoError(rt, l.compact(t.Context()))
				require.Empty(rt, l.manifest.Delta)
			case "restart":
				require.NoError(rt, u.Discard())
				l = open(t, b)
			default:
				require.NoError(rt, u.Discard())
			}
			after := rapid.SampledFrom(keys).Draw(rt, "after")
			until := rapid.SampledFrom(keys).Draw(rt, "until")
			for _, r := range [][2]string{{"", ""}, {after, until}} {
				want := map[string]Entry{}
				for k, e := range model {
					if (r[0] == "" || k > r[0]) && (r[1] == "" || k <= r[1]) {
						want[k] = e
					}
				}
				got := map[string]Entry{}
				var order []string
				for _, e := range readRange(rt, l, r[0], r[1]) {
					got[e.Key] = e
					order = append(order, e.Key)
				}
				require.Equal(rt, want, got, "%q", r)
				require.True(rt, slices.IsSorted(order))
			}
		}
	})
}

func TestSplitsDivideTheKeysAndReadingEachPartReadsAll(t *testing.T) {
	b, _ := directory(t)
	l := open(t, b)
	const n = 5*rowsPerRowGroup + 10
	fill(t, l, n)
	require.Len(t, l.manifest.Base, 6)
	require.Empty(t, l.manifest.Delta)
	splits := l.Splits(3)
	require.Len(t, splits, 2)
	total, after := 0, ""
	for _, until := range append(splits, "") {
		part := readRange(t, l, after, until)
		require.Greater(t, len(part), rowsPerRowGroup/2)
		total += len(part)
		after = until
	}
	require.Equal(t, n, total)
}

func TestUpdatesOfDifferentPartsCommitSideBySide(t *testing.T) {
	l := open(t, memory.NewBackend())
	var wait sync.WaitGroup
	for part := range 8 {
		wait.Go(func() {
			u := l.Begin()
			for i := range 100 {
				if err := u.Put(t.Context(), entry(fmt.Sprintf("%d/%03d", part, i), 1)); err != nil {
					t.Error(err)
				}
			}
			if err := u.Commit(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	require.Len(t, readAll(t, l), 800)
}

func TestAWriterThatWasReplacedCanCommitNothing(t *testing.T) {
	b := memory.NewBackend()
	first := open(t, b)
	u := first.Begin()
	require.NoError(t, u.Put(t.Context(), entry("a", 1)))
	second := open(t, b)
	require.ErrorIs(t, u.Commit(t.Context()), ErrFenced)
	fill(t, second, 2)
	require.Len(t, readAll(t, second), 2)
	require.EqualValues(t, 2, second.manifest.Epoch)
}

// lossy loses the answers of writes that it carried out.
type lossy struct {
	backend.Backend
	lose bool
}

func (l *lossy) Put(ctx context.Context, key string, body backend.Body, opts backend.PutOptions) (backend.Object, error) {
	o, err := l.Backend.Put(ctx, key, body, opts)
	if err == nil && l.lose {
		return backend.Object{}, backend.ErrUnavailable
	}
	return o, err
}

func TestACommitWhoseAnswerWasLostIsRecognised(t *testing.T) {
	b := &lossy{Backend: memory.NewBackend()}
	l := open(t, b)
	u := l.Begin()
	require.NoError(t, u.Put(t.Context(), entry("a", 1)))
	require.NoError(t, u.finish(t.Context()))
	b.lose = true
	require.NoError(t, u.Commit(t.Context()))
	b.lose = false
	fill(t, l, 1)
	require.Len(t, readAll(t, l), 2)
}

func TestDamageIsFoundAndWhatIsLeftStaysReadable(t *testing.T) {
	damages := map[string]func(string) error{
		"missing":   os.Remove,
		"empty":     func(p string) error { return os.WriteFile(p, nil, 0o600) },
		"truncated": func(p string) error { return os.Truncate(p, 100) },
		"flipped bit": func(p string) error {
			data, err := os.ReadFile(p)
			if err == nil {
				data[len(data)/3] ^= 4
				err = os.WriteFile(p, data, 0o600)
			}
			return err
		},
	}
	for name, damage := range damages {
		t.Run(name, func(t *testing.T) {
			b, dir := directory(t)
			l := open(t, b)
			fill(t, l, 2*rowsPerRowGroup)
			u := l.Begin()
			require.NoError(t, u.Put(t.Context(), entry("00000001", 77)))
			require.NoError(t, u.Commit(t.Context()))
			require.NoError(t, damage(filepath.Join(dir, "state", l.manifest.Base[1].Name)))
			c, err := l.Read(t.Context(), "", "")
			for err == nil {
				_, err = c.Next(t.Context())
			}
			require.ErrorIs(t, err, ErrDamaged)
			require.NoError(t, c.Close())
			require.NoError(t, l.Drop(t.Context(), err))
			left := readAll(t, l)
			require.Len(t, left, rowsPerRowGroup)
			require.EqualValues(t, 77, left[1].SourceSize)
		})
	}
}

func TestADamagedManifestIsFoundAndCanBeSetAside(t *testing.T) {
	whole := func() []byte {
		data, err := (&manifest{Epoch: 7, Commit: "c"}).encode()
		require.NoError(t, err)
		return data
	}
	flipped := whole()
	flipped[len(flipped)-3] ^= 1
	for name, data := range map[string][]byte{
		"empty": {}, "half": whole()[:len(whole())/2], "flipped bit": flipped, "not one": []byte("{}\n"),
	} {
		t.Run(name, func(t *testing.T) {
			b := memory.NewBackend()
			_, err := b.Put(t.Context(), "state/manifest", backend.Bytes(data), backend.PutOptions{})
			require.NoError(t, err)
			o := Options{Backend: b, Prefix: "state/", Scratch: t.TempDir()}
			_, err = Open(t.Context(), o)
			require.ErrorIs(t, err, ErrDamaged)
			_, err = SetAside(t.Context(), o)
			require.NoError(t, err)
			fill(t, open(t, b), 1)
		})
	}
	b := memory.NewBackend()
	_, err := b.Put(t.Context(), "state/manifest", backend.Bytes([]byte("objrepl-ledger 2 00000000 2\n{}")), backend.PutOptions{})
	require.NoError(t, err)
	_, err = Open(t.Context(), Options{Backend: b, Prefix: "state/", Scratch: t.TempDir()})
	require.ErrorContains(t, err, `format version 2`)
	require.NotErrorIs(t, err, ErrDamaged, "a later version is not damage, and is not set aside")
}

func TestWhatCommitsReplacedIsRemoved(t *testing.T) {
	b := memory.NewBackend()
	l := open(t, b)
	fill(t, l, 100)
	for i := range maxDeltas + 1 {
		u := l.Begin()
		require.NoError(t, u.Put(t.Context(), entry("00000001", int64(i))))
		require.NoError(t, u.Commit(t.Context()))
	}
	require.NoError(t, l.Compact(t.Context()))
	require.Len(t, readAll(t, l), 100)
	require.Equal(t, 2, b.Len(), "manifest and one segment")
}

func FuzzDecodeManifest(f *testing.F) {
	good, err := (&manifest{Commit: "c", Base: []segmentInfo{{Name: "segment-A.parquet", Rows: 1, Size: 1}}}).encode()
	require.NoError(f, err)
	f.Add(good)
	f.Add([]byte("objrepl-ledger 1 00000000 0\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := decodeManifest(data)
		if err == nil && m.check() != nil {
			t.Fatal("an impossible manifest was accepted")
		}
	})
}
