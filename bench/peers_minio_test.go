//go:build unix

package bench

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/minio/minio-go/v7"
	"github.com/stretchr/testify/require"
)

// BenchmarkPeersMinIO prints what this and other tools cost on one MinIO: 10,000
// files of 4 KiB from a directory to a bucket, the same again unchanged, and from
// that bucket to another one. Every tool has buckets of its own.
//
//	OBJREPL_BENCH_PEERS=1 go test ./bench -run '^$' -bench PeersMinIO -benchtime 1x -timeout 3h
func BenchmarkPeersMinIO(b *testing.B) {
	const files = 10_000
	binaries := buildPeers(b)
	for b.Loop() {
		w := newBench(b, "s3", files)
		server := s3Server{strings.TrimPrefix(w.proxy.URL, "http://"), w.server.AccessKey, w.server.SecretKey}
		tool := func(name string, sync func(from, to place) (cost, error)) {
			first, second := place(w.server.NewBucket(b)), place(w.server.NewBucket(b))
			for _, step := range []struct {
				name     string
				from, to place
			}{
				{"directory to bucket", place(w.directory), first},
				{"the same, unchanged", place(w.directory), first},
				{"bucket to bucket", first, second},
			} {
				w.proxy.Reset()
				c, err := sync(step.from, step.to)
				if err != nil {
					fmt.Printf("%s: %s: left out: %v\n", step.name, name, err)
					return
				}
				fmt.Printf("%s: %s: %v\n", step.name, name, run{c, w.proxy.Counts()})
				require.Equal(b, files, w.count(b, step.to), "%s: %s", step.name, name)
			}
		}
		ours := func(from, to place) (cost, error) {
			prefix := "s3://"
			settings := fmt.Sprintf("?endpoint=%s&region=us-east-1&accessKey=env:BENCH_KEY&secretKey=env:BENCH_SECRET", w.proxy.URL)
			args := []string{"--state-dir", w.state, "sync"}
			for _, p := range []place{from, to} {
				if at := p.in(prefix); at != string(p) {
					args = append(args, at+settings)
				} else {
					args = append(args, at)
				}
			}
			cmd := exec.CommandContext(b.Context(), w.binary, args...)
			cmd.Env = append(os.Environ(), "BENCH_KEY="+server.accessKey, "BENCH_SECRET="+server.secretKey)
			return measure(b, cmd)
		}
		tool("objstore, before the others", ours)
		for i, p := range peers {
			if binaries[i] == "" {
				continue
			}
			tool(p.name+" "+p.version, func(from, to place) (cost, error) { return p.run(b, binaries[i], server, from, to) })
		}
		tool("objstore, after them", ours)
	}
}

// count is how many objects a bucket has.
func (b *bench) count(tb testing.TB, bucket place) (n int) {
	for o := range b.server.Client(tb).ListObjects(tb.Context(), string(bucket), minio.ListObjectsOptions{Recursive: true}) {
		require.NoError(tb, o.Err)
		n++
	}
	return n
}
