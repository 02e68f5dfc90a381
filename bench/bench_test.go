//go:build unix

package bench

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/internal/testutil"
)

// A run is a cost with the requests that the server answered. Those that it
// failed, as it may on a machine under load, are made again and no fault of the
// client's.
type run struct {
	cost
	requests map[string]int
}

// others counts the requests that are not of the given operation.
func (r run) others(operation string) int {
	n := 0
	for op, count := range r.requests {
		if op != operation {
			n += count
		}
	}
	return n
}

func (r run) String() string { return fmt.Sprintf("%v  %v", r.cost, r.requests) }

// A bench replicates a directory of small files to a bucket behind a proxy.
type bench struct {
	binary, directory, state string
	proxy                    *testutil.Proxy
	server                   *testutil.Server
	bucket, scheme           string
}

func newBench(tb testing.TB, scheme string, files int) *bench {
	tb.Helper()
	b := &bench{scheme: scheme, server: testutil.SharedMinIO(tb), directory: filepath.Join(tb.TempDir(), "data"), state: tb.TempDir()}
	b.proxy = testutil.CountingProxy(tb, b.server.Endpoint)
	b.bucket = b.server.NewBucket(tb)
	b.binary = testutil.CLI(tb)
	content := make([]byte, 4<<10)
	for i := range files {
		dir := filepath.Join(b.directory, fmt.Sprintf("%03d", i/100))
		require.NoError(tb, os.MkdirAll(dir, 0o755))
		copy(content, fmt.Sprintf("file %d", i))
		require.NoError(tb, os.WriteFile(filepath.Join(dir, fmt.Sprintf("file-%05d.bin", i)), content, 0o644))
	}
	return b
}

func (b *bench) sync(tb testing.TB) run {
	tb.Helper()
	b.proxy.Reset()
	destination := fmt.Sprintf("%s://%s?endpoint=%s&region=us-east-1&accessKey=env:BENCH_KEY&secretKey=env:BENCH_SECRET", b.scheme, b.bucket, b.proxy.URL)
	cmd := exec.CommandContext(tb.Context(), b.binary, "--state-dir", b.state, "sync", b.directory, destination)
	cmd.Env = append(os.Environ(), "BENCH_KEY="+b.server.AccessKey, "BENCH_SECRET="+b.server.SecretKey)
	r := run{mustMeasure(tb, cmd), b.proxy.Counts()}
	for op, n := range b.proxy.Failed() {
		tb.Logf("the server failed %d %s", n, op)
	}
	return r
}

// What a first pass asks a server about the conditions that it honours. MinIO
// ignores that of a DELETE, whose object is gone then.
const probePuts, probeDeletes, probeDeletesMinIO = 4, 2, 1

// probeCompletes is what the first large object adds to that.
const probeCompletes = 3

// checkFirst and checkAgain hold the requests against what is promised.
func checkFirst(tb testing.TB, r run, files int) {
	tb.Helper()
	require.Equal(tb, map[string]int{
		"PutObject": files + probePuts, "DeleteObject": probeDeletesMinIO, "ListObjects": 1,
	}, r.requests)
}

func checkAgain(tb testing.TB, r run) {
	tb.Helper()
	require.Zero(tb, r.others("ListObjects"), "%v", r)
}

func TestADirectoryCostsOnePutAFileAndThenListingsAlone(t *testing.T) {
	for _, scheme := range []string{"s3", "minio"} {
		t.Run(scheme, func(t *testing.T) {
			const files = 1500
			b := newBench(t, scheme, files)
			checkFirst(t, b.sync(t), files)
			checkAgain(t, b.sync(t))
		})
	}
}

// BenchmarkDirectoryToMinIO prints wall and CPU seconds, peak memory and
// requests of a first pass over 10,000 files of 4 KiB and of the next one.
func BenchmarkDirectoryToMinIO(b *testing.B) {
	const files = 10_000
	for _, scheme := range []string{"s3", "minio"} {
		b.Run(scheme, func(b *testing.B) {
			for b.Loop() {
				bench := newBench(b, scheme, files)
				first := bench.sync(b)
				checkFirst(b, first, files)
				again := bench.sync(b)
				checkAgain(b, again)
				fmt.Printf("%s first: %v\n%s again: %v\n", scheme, first, scheme, again)
				first.report(b, "first")
				again.report(b, "again")
				require.LessOrEqual(b, first.peak, int64(maxPeak))
				require.LessOrEqual(b, again.peak, int64(maxPeak))
			}
		})
	}
}
