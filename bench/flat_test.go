//go:build unix

package bench

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/internal/testutil"
)

const (
	flatSize = 1 << 10 // bytes of an object
	// flatExtra is how many LIST requests a pass may make beside those that
	// bring objects: to look for places to split, and for ends of ranges.
	flatExtra = 64
	maxPeak   = 80 << 20
)

// A flat is one directory of many objects that is replicated between two
// servers that store nothing, so that what is measured is the client.
type flat struct {
	objects             int
	source, destination *testutil.Synthetic
	binary, state       string
	config              string
}

func newFlat(tb testing.TB, objects int) *flat {
	tb.Helper()
	return newFlatBetween(tb, objects, testutil.NewSynthetic(tb, objects, flatSize), testutil.NewSynthetic(tb, objects, flatSize))
}

// newFlatBetween takes two servers that have the objects already, or twice the
// same one.
func newFlatBetween(tb testing.TB, objects int, source, destination *testutil.Synthetic) *flat {
	tb.Helper()
	f := &flat{
		objects: objects, source: source, destination: destination,
		binary: testutil.CLI(tb), state: tb.TempDir(),
		config: filepath.Join(tb.TempDir(), "config.yaml"),
	}
	settings := "{bucket: flat-%s, endpoint: %q, region: us-east-1, accessKey: env:BENCH_KEY, secretKey: env:BENCH_KEY}"
	text := fmt.Sprintf("backends:\n  from:\n    driver: s3\n    settings: "+settings+
		"\n  to:\n    driver: s3\n    settings: "+settings+
		"\nreplication:\n  - id: flat\n    source: {backend: from}\n    destination: {backend: to}\n",
		"source", f.source.Endpoint, "destination", f.destination.Endpoint)
	require.NoError(tb, os.WriteFile(f.config, []byte(text), 0o600))
	return f
}

// markDestination makes the objects that the destination has from the start
// look like those that an earlier pass of the policy wrote (docs/FORMAT.md), so
// that a first pass takes them into the ledger at one HEAD each, as it does
// when the ledger was lost. It spares a benchmark to write them one by one.
func (f *flat) markDestination() {
	f.destination.Metadata = func(key, etag string, size int) map[string]string {
		sum := sha256.Sum256([]byte("flat-destination\x00" + key))
		return map[string]string{"objrepl-marker": fmt.Sprintf("2 flat %d %s  seed.1 %s", size, etag, hex.EncodeToString(sum[:6]))}
	}
}

// A flatRun is a cost with the requests that each side got.
type flatRun struct {
	cost
	source, destination map[string]int
}

func (r flatRun) String() string {
	return fmt.Sprintf("%v  source %v  destination %v", r.cost, r.source, r.destination)
}

func (f *flat) sync(tb testing.TB) flatRun {
	tb.Helper()
	f.source.Counts()
	f.destination.Counts()
	cmd := exec.CommandContext(tb.Context(), f.binary, "--state-dir", f.state, "--config", f.config, "replication", "sync", "--id=flat")
	cmd.Env = append(os.Environ(), "BENCH_KEY=any-key")
	r := flatRun{cost: mustMeasure(tb, cmd), source: f.source.Counts(), destination: f.destination.Counts()}
	require.True(tb, f.source.SameAs(f.destination), "both sides are equal after every pass")
	return r
}

// requireRequests holds the requests of a side against what is promised: the
// listing of all objects, those named, and nothing else.
func (f *flat) requireRequests(tb testing.TB, got, others map[string]int) {
	tb.Helper()
	require.LessOrEqual(tb, got["ListObjects"], (f.objects+999)/1000+flatExtra, "%v", got)
	rest := maps.Clone(got)
	delete(rest, "ListObjects")
	require.Equal(tb, others, rest)
}

func (f *flat) requireQuiet(tb testing.TB, r flatRun) {
	tb.Helper()
	f.requireRequests(tb, r.source, map[string]int{})
	f.requireRequests(tb, r.destination, map[string]int{})
	require.LessOrEqual(tb, r.peak, int64(maxPeak))
}

// requireCopied wants n objects copied, by a pass that asked the destination
// which conditions it honours or by one that knew.
func (f *flat) requireCopied(tb testing.TB, r flatRun, n int, asked bool) {
	tb.Helper()
	f.requireRequests(tb, r.source, map[string]int{"GetObject": n})
	written := map[string]int{"PutObject": n}
	if asked {
		written = map[string]int{"PutObject": n + probePuts, "DeleteObject": probeDeletes}
	}
	f.requireRequests(tb, r.destination, written)
	require.LessOrEqual(tb, r.peak, int64(maxPeak))
}

func (f *flat) requireLookedUp(tb testing.TB, r flatRun) {
	tb.Helper()
	f.requireRequests(tb, r.source, map[string]int{})
	f.requireRequests(tb, r.destination, map[string]int{"HeadObject": f.objects})
	require.LessOrEqual(tb, r.peak, int64(maxPeak))
}

func TestOnlyWhatChangedOfAFlatDirectoryIsReadOrWritten(t *testing.T) {
	f := newFlat(t, 20_000)
	f.destination.Clear()
	first := f.sync(t)
	t.Log("first:    ", first)
	f.requireCopied(t, first, f.objects, true)
	again := f.sync(t)
	t.Log("unchanged:", again)
	f.requireQuiet(t, again)
	changed := f.source.Change(100)
	some := f.sync(t)
	t.Log("1% anew:  ", some)
	f.requireCopied(t, some, changed, false)
}

func TestALostLedgerOfAFlatDirectoryCostsOneHeadAnObject(t *testing.T) {
	f := newFlat(t, 2_000)
	f.markDestination()
	f.requireLookedUp(t, f.sync(t))
	f.requireQuiet(t, f.sync(t))
}

// BenchmarkFlatFirst prints what a first pass over 100,000 objects costs.
func BenchmarkFlatFirst(b *testing.B) {
	for b.Loop() {
		f := newFlat(b, 100_000)
		f.destination.Clear()
		first := f.sync(b)
		fmt.Println("first:", first)
		first.report(b, "first")
		b.ReportMetric(first.cpu.Seconds()*1e6/float64(f.objects), "first-cpu-us/object")
		f.requireCopied(b, first, f.objects, true)
	}
}

// BenchmarkFlatMillion prints what passes over a million objects in one flat
// directory cost: one that finds all of them there and the ledger lost, which
// also prepares the others, one that finds nothing changed, and one that finds
// one in a hundred changed. It fails where one takes more memory or asks for
// more than is promised, and takes minutes.
func BenchmarkFlatMillion(b *testing.B) {
	for b.Loop() {
		f := newFlat(b, 1_000_000)
		f.markDestination()
		lost := f.sync(b)
		fmt.Println("lost ledger:", lost)
		again := f.sync(b)
		fmt.Println("unchanged:  ", again)
		changed := f.source.Change(100)
		some := f.sync(b)
		fmt.Println("1% anew:    ", some)
		lost.report(b, "lost")
		again.report(b, "unchanged")
		some.report(b, "changed")
		f.requireLookedUp(b, lost)
		f.requireQuiet(b, again)
		f.requireCopied(b, some, changed, true)
	}
}
