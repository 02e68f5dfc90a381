//go:build unix

package bench

import (
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// BenchmarkLargeFileToMinIO prints wall and CPU seconds and peak memory of one
// large file, which goes in parts. OBJREPL_BENCH_MIB sets its size; the default
// is 256.
func BenchmarkLargeFileToMinIO(b *testing.B) {
	size := int64(256)
	if text := os.Getenv("OBJREPL_BENCH_MIB"); text != "" {
		var err error
		size, err = strconv.ParseInt(text, 10, 64)
		require.NoError(b, err)
	}
	for _, scheme := range []string{"s3", "minio"} {
		b.Run(fmt.Sprintf("%s/%dMiB", scheme, size), func(b *testing.B) {
			for b.Loop() {
				bench := newBench(b, scheme, 0)
				require.NoError(b, os.MkdirAll(bench.directory, 0o755))
				f, err := os.Create(filepath.Join(bench.directory, "large"))
				require.NoError(b, err)
				_, err = io.CopyN(f, rand.NewChaCha8([32]byte{1}), size<<20)
				require.NoError(b, err)
				require.NoError(b, f.Close())
				r := bench.sync(b)
				b.Log(r)
				require.Equal(b, 1+probeCompletes, r.requests["CompleteMultipartUpload"])
				b.ReportMetric(float64(size)/r.wall.Seconds(), "MiB/s")
				b.ReportMetric(float64(r.peak)/(1<<20), "peak-MiB")
			}
		})
	}
}
