package ledger

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

// mostPerEntry is how many bytes an entry may take in segments.
const mostPerEntry = 64

// mostLive is what a ledger of any size may keep alive. The entries of
// TestALedgerOfManyEntriesKeepsFewOfThem alone would be more than 40 MiB.
const mostLive = 16 << 20

// This is BenchmarkLedger in short. It looks at what is alive after a collection, which
// depends neither on when the collector runs nor on what else is in the process.
func TestALedgerOfManyEntriesKeepsFewOfThem(t *testing.T) {
	const n, every = 200_000, 10_000
	live := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before, most := live(), uint64(0)
	look := func(i int) {
		if i%every == every-1 {
			most = max(most, live())
		}
	}
	store, _ := directory(t)
	l := open(t, store)

	u := l.Begin()
	for i := range n {
		require.NoError(t, u.Put(t.Context(), manyEntry(i, false)))
		look(i)
	}
	require.NoError(t, u.Commit(t.Context()))
	size := int64(0)
	for _, s := range l.current().Base {
		size += s.Size
	}
	perEntry := float64(size) / n
	require.Less(t, perEntry, float64(mostPerEntry))

	read := func(changed bool) {
		t.Helper()
		c, err := l.Read(t.Context(), "", "")
		require.NoError(t, err)
		for i := range n {
			e, err := c.Next(t.Context())
			require.NoError(t, err)
			if want := manyEntry(i, changed && i%100 == 0); e.Key != want.Key || e.SourceSize != want.SourceSize || e.DestinationTag != want.DestinationTag {
				t.Fatalf("entry %d: %+v, want %+v", i, e, want)
			}
			look(i)
		}
		_, err = c.Next(t.Context())
		require.True(t, errors.Is(err, io.EOF), "%v", err)
		require.NoError(t, c.Close())
	}
	read(false)

	u = l.Begin()
	for i := 0; i < n; i += 100 {
		require.NoError(t, u.Put(t.Context(), manyEntry(i, true)))
	}
	require.NoError(t, u.Commit(t.Context()))
	require.NotEmpty(t, l.current().Delta)
	read(true)
	require.NoError(t, l.compact(t.Context()))
	require.Empty(t, l.current().Delta)
	read(true)
	t.Logf("%.1f bytes an entry, %.1f MiB alive at most", perEntry, float64(most-min(before, most))/(1<<20))
	require.Less(t, most, before+mostLive)
}

func manyEntry(i int, changed bool) Entry {
	e := benchEntry(i)
	if changed {
		e.SourceSize = 1
	}
	return e
}

// benchEntry looks like a file replicated to a bucket.
func benchEntry(i int) Entry {
	h := sha256.Sum256(fmt.Append(nil, i))
	moment := 0x18a0000000000000 + uint64(h[0])<<24 + uint64(i)<<10
	return Entry{
		Key:            fmt.Sprintf("photos/2026/%03d/img-%08d.jpg", i/100_000, i),
		SourceTag:      fmt.Sprintf("%x.%x.1000", moment, 1_000_000+i),
		SourceSize:     4096,
		SourceStamp:    fmt.Sprintf("%x", moment),
		DestinationTag: fmt.Sprintf("%x", h[:16]),
		Digest:         h[16:],
	}
}
