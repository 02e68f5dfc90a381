package e2e

import (
	"crypto/sha256"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/objrepl/replication"
	"github.com/objrepl/replication/internal/testutil"
)

var faultSeed = flag.Uint64("faults.seed", 1, "seed of the faults that requests meet")

// manyFiles writes n files, most of a few KiB and some of up to 2 MiB, so that
// every way a driver has to send a body is met.
func manyFiles(t *testing.T, n int) string {
	t.Helper()
	dir := t.TempDir()
	source := rand.New(rand.NewPCG(uint64(n), 1))
	random := rand.NewChaCha8([32]byte{1})
	for i := range n {
		size := source.IntN(4 << 10)
		switch {
		case i%1000 == 999:
			size = 2 << 20
		case i%100 == 99:
			size = 60<<10 + source.IntN(300<<10)
		}
		content := make([]byte, size)
		_, _ = random.Read(content)
		path := filepath.Join(dir, fmt.Sprintf("d%02d", i/100), fmt.Sprintf("f%04d.bin", i))
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, content, 0o644))
	}
	return dir
}

// requireBucketHas compares a bucket with a directory, byte by byte and past
// the code under test.
func requireBucketHas(t *testing.T, server *testutil.Server, bucket, dir string) {
	t.Helper()
	client := server.Client(t)
	want := map[string][sha256.Size]byte{}
	for name, f := range tree(t, dir) {
		want[name] = sha256.Sum256(f.content)
	}
	var mu sync.Mutex
	got := map[string][sha256.Size]byte{}
	group, ctx := errgroup.WithContext(t.Context())
	group.SetLimit(16)
	for o := range client.ListObjects(ctx, bucket, minio.ListObjectsOptions{Recursive: true}) {
		require.NoError(t, o.Err)
		group.Go(func() error {
			r, err := client.GetObject(ctx, bucket, o.Key, minio.GetObjectOptions{})
			if err != nil {
				return err
			}
			defer r.Close()
			content, err := io.ReadAll(r)
			mu.Lock()
			got[o.Key] = sha256.Sum256(content)
			mu.Unlock()
			return err
		})
	}
	require.NoError(t, group.Wait())
	for name, sum := range want {
		require.Equal(t, sum, got[name], "%s in the bucket", name)
	}
	require.Len(t, got, len(want), "more in the bucket than there should be")
}

func TestPassesThroughFaultsFailNoObjectAndLeaveNoDifference(t *testing.T) {
	for _, c := range []struct {
		driver string
		files  int
	}{{"s3", 5000}, {"minio", 1000}} {
		t.Run(c.driver, func(t *testing.T) {
			files := c.files
			if testing.Short() {
				files /= 10
			}
			throughFaults(t, c.driver, files)
		})
	}
}

// asked is what came in, whatever became of it.
func asked(p *testutil.Proxy) map[string]int {
	all := p.Counts()
	for op, n := range p.Failed() {
		all[op] += n
	}
	return all
}

func throughFaults(t *testing.T, driver string, n int) {
	server := testutil.SharedMinIO(t)
	proxy := testutil.CountingProxy(t, server.Endpoint)
	faults := testutil.NewFaults(*faultSeed)
	proxy.Intercept(faults.Intercept)
	source, back := manyFiles(t, n), filepath.Join(t.TempDir(), "back")
	settings := bucket(server, server.NewBucket(t))
	settings["endpoint"] = proxy.URL
	r := replicator(t)

	// step runs a pass and says what it took.
	step := func(name string, p replication.Policy) replication.SyncResult {
		t.Helper()
		started, before := time.Now(), asked(proxy)
		res, err := r.Sync(t.Context(), p)
		requests := 0
		for op, count := range asked(proxy) {
			requests += count - before[op]
		}
		t.Logf("%s: %.1f s, %d requests, synced %d, adopted %d, unchanged %d, deleted %d, failed %d", name,
			time.Since(started).Seconds(), requests, res.Synced, res.Adopted, res.Skipped, res.Deleted, res.Failed)
		for _, e := range res.Errors {
			t.Log(e)
		}
		require.NoError(t, err)
		require.Zero(t, res.Failed)
		return res
	}

	up := upload(driver, source, settings)
	require.EqualValues(t, n, step("first", up).Synced)
	requireBucketHas(t, server, settings["bucket"], source)

	// Every tenth file is written anew, another tenth only touched, some go.
	changed, touched, gone := 0, 0, 0
	require.NoError(t, walkFiles(source, func(i int, path string) error {
		switch i % 20 {
		case 0, 1:
			changed++
			return os.WriteFile(path, fmt.Appendf(nil, "changed %d", i), 0o644)
		case 2, 3:
			touched++
			return os.Chmod(path, 0o600)
		case 4:
			gone++
			return os.Remove(path)
		}
		return nil
	}))
	res := step("changes", up)
	require.EqualValues(t, changed, res.Synced)
	require.EqualValues(t, gone, res.Deleted)
	require.EqualValues(t, n-changed-gone, res.Skipped)
	requireBucketHas(t, server, settings["bucket"], source)

	// Another policy finds objects that it did not write, and that are equal.
	other := up
	other.ID, other.SourcePrefix, other.DestinationPrefix = "other", "d00/", "d00/"
	res = step("adoption", other)
	require.Zero(t, res.Synced, "equal objects are adopted, not written")
	require.Positive(t, res.Adopted)

	down := replication.Policy{
		ID: "back", SourceBackend: driver, SourceSettings: settings,
		DestinationBackend: "local", DestinationSettings: map[string]string{"path": back, "durability": "none"},
	}
	step("back", down)
	requireSameTree(t, source, back)
	require.Zero(t, step("back again", down).Synced)
	t.Log("faults:", faults.Made())
}

// walkFiles calls f with the path and a number for every file.
func walkFiles(dir string, f func(i int, path string) error) error {
	i := 0
	return filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		i++
		return f(i-1, path)
	})
}
