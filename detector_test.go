package replication

import (
	"context"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"runtime"
	"runtime/metrics"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/local"
	"github.com/objrepl/replication/internal/ledger"
)

// generated is a store of n objects that exist only while they are listed.
type generated struct {
	backend.Backend // nil: a detector only lists
	n               int
}

func (g generated) List(_ context.Context, opts backend.ListOptions) iter.Seq2[[]backend.Object, error] {
	return func(yield func([]backend.Object, error) bool) {
		for from := 0; from < g.n; from += 1000 {
			page := make([]backend.Object, 0, 1000)
			for i := from; i < min(from+1000, g.n); i++ {
				page = append(page, backend.Object{
					Key:  fmt.Sprintf("photos/2026/img-%09d.jpg", i),
					Size: 4096, Tag: backend.Tag(fmt.Sprintf("%032x", i)),
				})
			}
			if !yield(page, nil) {
				return
			}
		}
	}
}

// detectGenerated merges n unchanged objects and returns the peak of the heap
// that was in use meanwhile.
func detectGenerated(tb testing.TB, n int) (peak uint64) {
	b, err := local.Driver.Open(tb.Context(), backend.Settings{"path": tb.TempDir(), "durability": "none"})
	require.NoError(tb, err)
	defer b.Close()
	l, err := ledger.Open(tb.Context(), ledger.Options{Backend: b, Scratch: tb.TempDir()})
	require.NoError(tb, err)
	u := l.Begin()
	for page := range (generated{n: n}).List(tb.Context(), backend.ListOptions{}) {
		for _, o := range page {
			require.NoError(tb, u.Put(tb.Context(), ledger.Entry{
				Key: o.Key, SourceTag: string(o.Tag), SourceSize: o.Size, DestinationTag: string(o.Tag),
			}))
		}
	}
	require.NoError(tb, u.Commit(tb.Context()))
	runtime.GC()

	started := time.Now()
	cursor, err := l.Read(tb.Context(), "", "")
	require.NoError(tb, err)
	defer cursor.Close()
	source := startLister(tb.Context(), &endpoint{Backend: generated{n: n}}, shard{}, defaultRetrier, newOutage("", 0, slog.New(slog.DiscardHandler)))
	defer source.stop()
	destination := startLister(tb.Context(), &endpoint{Backend: generated{n: n}}, shard{}, defaultRetrier, newOutage("", 0, slog.New(slog.DiscardHandler)))
	defer destination.stop()
	d := newDetector(tb.Context(), source, destination, cursor, func(string) bool { return true })
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	d.tick = func() {
		metrics.Read(sample)
		peak = max(peak, sample[0].Value.Uint64())
	}
	require.NoError(tb, d.start())
	_, more, err := d.next()
	require.NoError(tb, err)
	require.False(tb, more)
	require.EqualValues(tb, n, d.counts.unchanged)
	took := time.Since(started)
	if b, ok := tb.(*testing.B); ok {
		b.ReportMetric(float64(n)/took.Seconds(), "keys/s")
		b.ReportMetric(float64(peak)/(1<<20), "peak-heap-MiB")
	}
	return peak
}

// BenchmarkDetector prints the rate and the peak of the heap for trees of two
// sizes, nothing changed, neither held in memory.
func BenchmarkDetector(b *testing.B) {
	for _, n := range []int{100_000, 1_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				detectGenerated(b, n)
			}
		})
	}
}

func TestDetectorMemoryDoesNotGrowWithTheNumberOfKeys(t *testing.T) {
	if testing.Short() {
		t.Skip("merges 440,000 keys")
	}
	small := detectGenerated(t, 40_000)
	large := detectGenerated(t, 400_000)
	// Ten times the keys; the slack is for when the collector happens to run.
	require.Less(t, large, 2*small+8<<20, "peak heap %d for 40,000 keys, %d for 400,000", small, large)
}

func objects(list ...backend.Object) *stream[*backend.Object] {
	i := 0
	return &stream[*backend.Object]{
		accept: func(*backend.Object, string) bool { return true },
		read: func() (*backend.Object, string, error) {
			if i == len(list) {
				return nil, "", io.EOF
			}
			i++
			return &list[i-1], list[i-1].Key, nil
		},
	}
}

func entries(list ...ledger.Entry) *stream[ledger.Entry] {
	i := 0
	return &stream[ledger.Entry]{
		accept: func(ledger.Entry, string) bool { return true },
		read: func() (ledger.Entry, string, error) {
			if i == len(list) {
				return ledger.Entry{}, "", io.EOF
			}
			i++
			return list[i-1], list[i-1].Key, nil
		},
	}
}

// The decision table of docs/DESIGN.md, row by row.
func TestVerdicts(t *testing.T) {
	object := func(tag backend.Tag) *backend.Object { return &backend.Object{Key: "k", Size: 1, Tag: tag} }
	stamped := func(tag backend.Tag, stamp string) *backend.Object {
		return &backend.Object{Key: "k", Size: 1, Tag: tag, Stamp: stamp}
	}
	problem := &backend.Object{Key: "k", Problem: backend.ErrNotRegular}
	entry := &ledger.Entry{Key: "k", SourceTag: "s1", SourceSize: 1, SourceStamp: "c1", DestinationTag: "d1"}
	nothing := verdict(-1)
	for _, c := range []struct {
		name        string
		source      *backend.Object
		ledger      *ledger.Entry
		destination *backend.Object
		want        verdict
	}{
		{"new", object("s1"), nil, nil, verdictCopy},
		{"unchanged", stamped("s1", "c1"), entry, object("d1"), nothing},
		{"changed", stamped("s2", "c2"), entry, object("d1"), verdictCopy},
		{"stamp alone", stamped("s1", "c2"), entry, object("d1"), verdictRehash},
		{"lost at the destination", stamped("s1", "c1"), entry, nil, verdictCopy},
		{"not in the ledger", object("s1"), nil, object("d1"), verdictUnknown},
		{"drift", stamped("s1", "c1"), entry, object("d2"), verdictUnknown},
		{"drift and changed", stamped("s2", "c1"), entry, object("d2"), verdictUnknown},
		{"special file at the destination", object("s1"), entry, problem, verdictUnknown},
		{"deleted", nil, entry, object("d1"), verdictDelete},
		{"deleted, and drift", nil, entry, object("d2"), verdictDelete},
		{"gone at both", nil, entry, nil, verdictForget},
		{"somebody else's", nil, nil, object("d1"), nothing},
		{"special file at the source", problem, entry, object("d1"), verdictProblem},
	} {
		t.Run(c.name, func(t *testing.T) {
			var source, destination []backend.Object
			var known []ledger.Entry
			if c.source != nil {
				source = append(source, *c.source)
			}
			if c.destination != nil {
				destination = append(destination, *c.destination)
			}
			if c.ledger != nil {
				known = append(known, *c.ledger)
			}
			d := &detector{source: *objects(source...), destination: *objects(destination...), ledger: *entries(known...), tick: func() {}}
			require.NoError(t, d.start())
			dec, ok, err := d.next()
			require.NoError(t, err)
			require.Equal(t, c.want != nothing, ok)
			if ok {
				require.Equal(t, c.want, dec.verdict)
				require.Equal(t, "k", dec.key)
			}
		})
	}
}

func TestADirectoryThatCannotBeReadHidesNoDeletion(t *testing.T) {
	known := func(keys ...string) (out []ledger.Entry) {
		for _, k := range keys {
			out = append(out, ledger.Entry{Key: k, DestinationTag: "d"})
		}
		return out
	}
	at := func(keys ...string) (out []backend.Object) {
		for _, k := range keys {
			out = append(out, backend.Object{Key: k, Tag: "d"})
		}
		return out
	}
	d := &detector{
		source:      *objects(backend.Object{Key: "dir/", Problem: backend.ErrUnavailable}),
		ledger:      *entries(known("dir-", "dir/a", "dir/b/c", "dir0")...),
		destination: *objects(at("dir-", "dir/a", "dir/b/c", "dir0")...),
		tick:        func() {},
	}
	require.NoError(t, d.start())
	var got []string
	for {
		dec, ok, err := d.next()
		require.NoError(t, err)
		if !ok {
			break
		}
		got = append(got, fmt.Sprint(dec.verdict, dec.key))
	}
	require.Equal(t, []string{
		fmt.Sprint(verdictDelete, "dir-"), fmt.Sprint(verdictProblem, "dir/"), fmt.Sprint(verdictDelete, "dir0"),
	}, got)
}

func TestAKeyInADestinationDirectoryThatCannotBeReadIsNotForgotten(t *testing.T) {
	d := &detector{
		source:      *objects(),
		ledger:      *entries(ledger.Entry{Key: "dir/a"}, ledger.Entry{Key: "e"}),
		destination: *objects(backend.Object{Key: "dir/", Problem: backend.ErrUnavailable}),
		tick:        func() {},
	}
	require.NoError(t, d.start())
	dec, ok, err := d.next()
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, "e", dec.key)
	require.Equal(t, verdictForget, dec.verdict)
}
