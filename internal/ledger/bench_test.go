package ledger

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// BenchmarkLedger writes b.N entries, reads them back, then changes one in a
// hundred and merges the changes in, and prints rate, bytes an entry and the
// peak of the memory that the Go runtime had mapped and not given back:
//
//	go test ./internal/ledger -run '^$' -bench Ledger -benchtime 10000000x
func BenchmarkLedger(b *testing.B) {
	debug.SetGCPercent(50)
	store, _ := directory(b)
	l := open(b, store)
	peak := uint64(0)
	sample := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	watch := func(i int) {
		if i%10_000 == 0 {
			metrics.Read(sample)
			peak = max(peak, sample[0].Value.Uint64()-sample[1].Value.Uint64())
		}
	}
	rate := func(what string, started time.Time) {
		b.ReportMetric(float64(b.N)/time.Since(started).Seconds(), what+"/s")
	}
	runtime.GC()
	b.ResetTimer()

	started := time.Now()
	u := l.Begin()
	for i := range b.N {
		watch(i)
		require.NoError(b, u.Put(b.Context(), benchEntry(i)))
	}
	require.NoError(b, u.Commit(b.Context()))
	rate("written", started)
	size := int64(0)
	for _, s := range l.current().Base {
		size += s.Size
	}
	b.ReportMetric(float64(size)/float64(b.N), "bytes/entry")

	started = time.Now()
	c, err := l.Read(b.Context(), "", "")
	require.NoError(b, err)
	n := 0
	for ; ; n++ {
		watch(n)
		if _, err := c.Next(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			b.Fatal(err)
		}
	}
	require.Equal(b, b.N, n)
	require.NoError(b, c.Close())
	rate("read", started)

	started = time.Now()
	u = l.Begin()
	for i := 0; i < b.N; i += 100 {
		e := benchEntry(i)
		e.SourceSize = 1
		require.NoError(b, u.Put(b.Context(), e))
	}
	require.NoError(b, u.Commit(b.Context()))
	require.NoError(b, l.compact(b.Context()))
	metrics.Read(sample)
	peak = max(peak, sample[0].Value.Uint64()-sample[1].Value.Uint64())
	rate("merged", started)
	b.ReportMetric(float64(peak)/(1<<20), "peak-MiB")
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
