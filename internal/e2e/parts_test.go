package e2e

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/minio/minio-go/v7"
	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication"
	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/local"
	"github.com/objrepl/replication/internal/testutil"
)

const mib = 1 << 20

// bigFile writes a file of random bytes and returns its directory and hash.
func bigFile(t *testing.T, size int64) (dir, hash string) {
	t.Helper()
	dir = t.TempDir()
	f, err := os.Create(filepath.Join(dir, "big"))
	require.NoError(t, err)
	h := sha256.New()
	_, err = io.CopyN(io.MultiWriter(f, h), rand.NewChaCha8([32]byte{byte(size >> 20)}), size)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	return dir, hex.EncodeToString(h.Sum(nil))
}

func hashOf(t *testing.T, name string) string {
	t.Helper()
	f, err := os.Open(name)
	require.NoError(t, err)
	defer f.Close()
	h := sha256.New()
	_, err = io.Copy(h, f)
	require.NoError(t, err)
	return hex.EncodeToString(h.Sum(nil))
}

// A process ends, and then the server, in the middle of a large file. What was
// acknowledged is not sent again, and the object comes back as it was.
func TestALargeFileGoesOnAfterItsProcessAndItsServerEnded(t *testing.T) {
	const parts = 13 // of 16 MiB, the last of 8
	for _, driver := range []string{"s3", "minio"} {
		t.Run(driver, func(t *testing.T) {
			server := testutil.MinIO(t)
			proxy := testutil.CountingProxy(t, server.Endpoint)
			source, hash := bigFile(t, 200*mib)
			settle(t, source)
			state := filepath.Join(t.TempDir(), "state")
			settings := bucket(server, server.NewBucket(t))
			settings["endpoint"] = proxy.URL
			policy := upload(driver, source, settings)

			var stored atomic.Int64 // parts that the server has acknowledged
			var sent atomic.Int64   // bytes of parts, with their framing
			stop := func(after int64, end func()) {
				stored.Store(0)
				proxy.Intercept(func(op string, w http.ResponseWriter, req *http.Request, next http.Handler) {
					if op != "UploadPart" || strings.Contains(req.URL.Path, probeName) {
						next.ServeHTTP(w, req)
						return
					}
					req.Body = &counted{req.Body, &sent}
					status := &statusOf{ResponseWriter: w}
					next.ServeHTTP(status, req)
					if status.code == http.StatusOK && stored.Add(1) == after {
						end()
					}
				})
			}
			open := func() *replication.Replicator {
				return replicator(t, replication.WithStateDir(state), replication.WithOutagePatience(0))
			}

			r := open()
			ctx, cancel := context.WithCancel(t.Context())
			stop(5, cancel)
			_, err := r.Sync(ctx, policy)
			require.ErrorIs(t, err, context.Canceled)
			require.NoError(t, r.Close())
			first := stored.Load()

			r = open()
			stop(4, func() { server.Kill(t) })
			_, err = r.Sync(t.Context(), policy)
			require.Error(t, err)
			require.NoError(t, r.Close())
			second := stored.Load()
			server.Start(t)
			require.Empty(t, objects(t, server, settings["bucket"]), "the object shows before it is whole")

			r = open()
			stop(-1, nil)
			res, err := r.Sync(t.Context(), policy)
			require.NoError(t, err)
			require.EqualValues(t, 1, res.Synced)
			third := stored.Load()
			twice := sent.Load() - 200*mib
			t.Logf("parts acknowledged: %d, then %d, then %d, of %d; %d MiB sent twice",
				first, second, third, parts, twice/mib)
			require.Less(t, twice, int64(2*4*16*mib), "more than four parts at each end was sent again")
			require.Less(t, third, int64(parts-first-second+3), "what was acknowledged was sent again")
			require.Equal(t, 1+partsProbe["CreateMultipartUpload"], proxy.Counts()["CreateMultipartUpload"])
			require.Equal(t, 1+partsProbe["CompleteMultipartUpload"], proxy.Counts()["CompleteMultipartUpload"])

			proxy.Intercept(nil)
			proxy.Reset()
			_, err = r.Sync(t.Context(), policy)
			require.NoError(t, err)
			require.Equal(t, []string{"ListObjects"}, names(proxy.Counts()))

			back := filepath.Join(t.TempDir(), "back")
			_, err = r.Sync(t.Context(), replication.Policy{
				ID: "back", SourceBackend: driver, SourceSettings: settings,
				DestinationBackend: "local", DestinationSettings: directory(back),
			})
			require.NoError(t, err)
			require.Equal(t, hash, hashOf(t, filepath.Join(back, "big")))
			require.Greater(t, proxy.Counts()["GetObject"], 1, "it comes back in parts too")
		})
	}
}

// counted adds up the bytes that pass.
type counted struct {
	io.ReadCloser
	n *atomic.Int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	c.n.Add(int64(n))
	return n, err
}

// statusOf remembers what was answered.
type statusOf struct {
	http.ResponseWriter
	code int
}

func (s *statusOf) WriteHeader(code int) {
	s.code = code
	s.ResponseWriter.WriteHeader(code)
}

func (s *statusOf) Unwrap() http.ResponseWriter { return s.ResponseWriter }

func names(counts map[string]int) []string {
	var out []string
	for name := range counts {
		out = append(out, name)
	}
	return out
}

// objects lists a bucket past every library of ours.
func objects(t *testing.T, server *testutil.Server, bucket string) []string {
	t.Helper()
	client := server.Client(t)
	var out []string
	for o := range client.ListObjects(t.Context(), bucket, minio.ListObjectsOptions{}) {
		require.NoError(t, o.Err)
		out = append(out, o.Key)
	}
	return out
}

// settle waits until no later change of the files could carry the same time
// stamp: parts of a version that cannot be told from the next are not reused.
func settle(t *testing.T, dir string) {
	t.Helper()
	b, err := local.Driver.Open(t.Context(), backend.Settings{"path": dir})
	require.NoError(t, err)
	defer b.Close()
	for settled := false; !settled; {
		settled = true
		for page, err := range b.List(t.Context(), backend.ListOptions{}) {
			require.NoError(t, err)
			for _, o := range page {
				settled = settled && backend.Settled(o.Stamp)
			}
		}
	}
}
