//go:build linux

package ledger

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The target of BenchmarkLedger, which fails beyond it and beyond mostPerEntry.
const mostMemory = 64 << 20

// BenchmarkLedger writes b.N entries, reads them back, then changes one in a
// hundred, merges the changes in, and reads the result. It prints the rates, the
// bytes an entry takes in the segments, and the peak of the process's resident
// memory, test program and all:
//
//	go test ./internal/ledger -run '^$' -bench Ledger -benchtime 10000000x
func BenchmarkLedger(b *testing.B) {
	store, _ := directory(b)
	l := open(b, store)
	rate := func(what string, started time.Time) {
		b.ReportMetric(float64(b.N)/time.Since(started).Seconds(), what+"/s")
	}
	b.ResetTimer()

	started := time.Now()
	u := l.Begin()
	for i := range b.N {
		if err := u.Put(b.Context(), benchEntry(i)); err != nil {
			b.Fatal(err)
		}
	}
	require.NoError(b, u.Commit(b.Context()))
	rate("written", started)
	size := int64(0)
	for _, s := range l.current().Base {
		size += s.Size
	}
	perEntry := float64(size) / float64(b.N)
	b.ReportMetric(perEntry, "bytes/entry")

	started = time.Now()
	require.Equal(b, 0, benchRead(b, l), "changed")
	rate("read", started)

	started = time.Now()
	u = l.Begin()
	changes := 0
	for i := 0; i < b.N; i += 100 {
		e := benchEntry(i)
		e.SourceSize = 1
		require.NoError(b, u.Put(b.Context(), e))
		changes++
	}
	require.NoError(b, u.Commit(b.Context()))
	require.NoError(b, l.compact(b.Context()))
	rate("merged", started)
	require.Empty(b, l.current().Delta)
	require.Equal(b, changes, benchRead(b, l))

	peak := peakRSS(b)
	b.ReportMetric(float64(peak)/(1<<20), "peak-RSS-MiB")
	if peak > mostMemory {
		b.Errorf("%d bytes of memory, more than %d", peak, mostMemory)
	}
	// A short run is all footer.
	if b.N >= rowsPerRowGroup && perEntry > mostPerEntry {
		b.Errorf("%.1f bytes an entry, more than %d", perEntry, mostPerEntry)
	}
}

// benchRead reads everything, wants b.N entries, and counts the changed ones.
func benchRead(b *testing.B, l *Ledger) (changed int) {
	c, err := l.Read(b.Context(), "", "")
	require.NoError(b, err)
	n := 0
	for ; ; n++ {
		e, err := c.Next(b.Context())
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			b.Fatal(err)
		}
		if e.SourceSize == 1 {
			changed++
		}
	}
	require.Equal(b, b.N, n)
	require.NoError(b, c.Close())
	return changed
}

// peakRSS returns the most resident memory that this process had, in bytes. It
// is not taken from getrusage, which counts the program that started this one.
func peakRSS(b *testing.B) (peak int64) {
	status, err := os.ReadFile("/proc/self/status")
	require.NoError(b, err)
	for line := range strings.Lines(string(status)) {
		if kib, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			_, err := fmt.Sscanf(kib, "%d kB", &peak)
			require.NoError(b, err)
		}
	}
	require.NotZero(b, peak, "no VmHWM")
	return peak << 10
}
