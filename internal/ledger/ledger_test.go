package ledger

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func open(t testing.TB) (*Ledger, string) {
	dir := t.TempDir()
	l, err := Open(dir)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, l.Close()) })
	return l, dir
}

func readAll(t require.TestingT, l *Ledger) []Entry {
	c, err := l.Read()
	require.NoError(t, err)
	var out []Entry
	for {
		e, err := c.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		out = append(out, e)
	}
	require.NoError(t, c.Close())
	return out
}

func entry(key string, n int64) Entry {
	return Entry{
		Key: key, SourceTag: fmt.Sprintf("s%d", n), SourceSize: n, SourceStamp: fmt.Sprintf("c%d", n),
		DestinationTag: fmt.Sprintf("d%d", n), Digest: []byte("0123456789abcdef"), Adopted: n%2 == 1,
	}
}

func TestEntriesComeBackAsTheyWerePut(t *testing.T) {
	l, _ := open(t)
	require.Empty(t, readAll(t, l))
	want := []Entry{entry("", 0), entry("a", 1), entry("a/ü", 2), entry("b\x00\xff", 3)}
	u := l.Begin()
	for _, e := range want {
		require.NoError(t, u.Put(e))
	}
	require.Empty(t, readAll(t, l), "nothing shows before the commit")
	require.NoError(t, u.Commit())
	require.Equal(t, want, readAll(t, l))
}

func TestDiscardedUpdateLeavesNothing(t *testing.T) {
	l, dir := open(t)
	u := l.Begin()
	require.NoError(t, u.Put(entry("a", 1)))
	require.NoError(t, u.Discard())
	require.Empty(t, readAll(t, l))
	files, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, files)
}

func TestUnchangedLedgerIsNotWritten(t *testing.T) {
	l, dir := open(t)
	u := l.Begin()
	require.NoError(t, u.Put(entry("a", 1)))
	require.NoError(t, u.Commit())
	before, err := os.Stat(filepath.Join(dir, segmentName))
	require.NoError(t, err)
	require.NoError(t, l.Begin().Commit())
	after, err := os.Stat(filepath.Join(dir, segmentName))
	require.NoError(t, err)
	require.True(t, os.SameFile(before, after))
}

func TestACursorKeepsReadingWhatItFound(t *testing.T) {
	l, _ := open(t)
	u := l.Begin()
	for i := range 5000 {
		require.NoError(t, u.Put(entry(fmt.Sprintf("%06d", i), 1)))
	}
	require.NoError(t, u.Commit())
	c, err := l.Read()
	require.NoError(t, err)
	defer c.Close()
	require.EqualValues(t, 5000, c.Len())

	u = l.Begin()
	for i := range 5000 {
		require.NoError(t, u.Delete(fmt.Sprintf("%06d", i)))
	}
	require.NoError(t, u.Commit())
	require.Empty(t, readAll(t, l))
	n := 0
	for ; ; n++ {
		if _, err := c.Next(); errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
	}
	require.Equal(t, 5000, n)
}

// A ledger behaves as a map does, whatever the order of changes and commits.
func TestLedgerAgreesWithAMap(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(t.TempDir(), "")
		require.NoError(rt, err)
		l, err := Open(dir)
		require.NoError(rt, err)
		defer l.Close()
		model := map[string]Entry{}
		keys := rapid.SampledFrom([]string{"", "a", "a-b", "a/b", "b", "ü", "z/z"})
		for range rapid.IntRange(1, 5).Draw(rt, "commits") {
			next := maps.Clone(model)
			u := l.Begin()
			for i := range rapid.IntRange(0, 8).Draw(rt, "changes") {
				key := keys.Draw(rt, "key")
				if rapid.Bool().Draw(rt, "delete") {
					require.NoError(rt, u.Delete(key))
					delete(next, key)
				} else {
					e := entry(key, int64(i))
					require.NoError(rt, u.Put(e))
					next[key] = e
				}
			}
			if rapid.Bool().Draw(rt, "commit") {
				require.NoError(rt, u.Commit())
				model = next
			} else {
				require.NoError(rt, u.Discard())
			}
			got := map[string]Entry{}
			var order []string
			for _, e := range readAll(rt, l) {
				got[e.Key] = e
				order = append(order, e.Key)
			}
			require.Equal(rt, model, got)
			require.True(rt, slices.IsSorted(order))
		}
	})
}

func TestDamageIsFoundAndTheSegmentCanBeSetAside(t *testing.T) {
	l, dir := open(t)
	u := l.Begin()
	for i := range 3000 {
		require.NoError(t, u.Put(entry(fmt.Sprintf("%06d", i), int64(i))))
	}
	require.NoError(t, u.Commit())
	path := filepath.Join(dir, segmentName)
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	for name, damaged := range map[string][]byte{
		"empty":       {},
		"truncated":   whole[:len(whole)/2],
		"no footer":   whole[:len(whole)-9],
		"not parquet": []byte("no, this is not it"),
	} {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, os.WriteFile(path, damaged, 0o600))
			_, err := l.Read()
			require.ErrorIs(t, err, ErrDamaged)
			_, err = l.SetAside()
			require.NoError(t, err)
			require.Empty(t, readAll(t, l))
		})
	}
}

func BenchmarkWrite(b *testing.B) {
	l, dir := open(b)
	u := l.Begin()
	for i := range b.N {
		require.NoError(b, u.Put(benchEntry(i)))
	}
	require.NoError(b, u.Commit())
	info, err := os.Stat(filepath.Join(dir, segmentName))
	require.NoError(b, err)
	b.ReportMetric(float64(info.Size())/float64(b.N), "bytes/entry")
}

func BenchmarkRead(b *testing.B) {
	l, _ := open(b)
	u := l.Begin()
	for i := range b.N {
		require.NoError(b, u.Put(benchEntry(i)))
	}
	require.NoError(b, u.Commit())
	b.ResetTimer()
	c, err := l.Read()
	require.NoError(b, err)
	defer c.Close()
	for range b.N {
		if _, err := c.Next(); err != nil {
			b.Fatal(err)
		}
	}
}

// benchEntry looks like a file replicated to a bucket.
func benchEntry(i int) Entry {
	h := uint64(i+1) * 0x9e3779b97f4a7c15
	return Entry{
		Key:            fmt.Sprintf("photos/2026/%02d/img-%08d.jpg", i/100_000, i),
		SourceTag:      fmt.Sprintf("%x-%x-1000", 0x18a0000000000000+h>>16, 1_000_000+i),
		SourceSize:     4096,
		SourceStamp:    fmt.Sprintf("%x", 0x18a0000000000000+h>>16),
		DestinationTag: fmt.Sprintf("%016x%016x", h, h*h),
		Digest:         fmt.Appendf(nil, "%08x%08x", uint32(h), uint32(h>>32)),
	}
}
