package e2e

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication"
	"github.com/objrepl/replication/internal/testutil"
)

// What it costs to delete everything: docs/DESIGN.md quotes it.
func TestTenThousandDeletionsOnMinIO(t *testing.T) {
	n := 10_000
	if testing.Short() {
		n = 2_000
	}
	server := testutil.SharedMinIO(t)
	proxy := testutil.CountingProxy(t, server.Endpoint)
	settings := bucket(server, server.NewBucket(t))
	settings["endpoint"] = proxy.URL
	source := manyFiles(t, n)
	r := replicator(t, replication.WithConcurrency(32))
	policy := upload("minio", source, settings)
	_, err := r.Sync(t.Context(), policy)
	require.NoError(t, err)
	entries, err := os.ReadDir(source)
	require.NoError(t, err)
	for _, e := range entries {
		require.NoError(t, os.RemoveAll(filepath.Join(source, e.Name())))
	}
	plan, err := r.PlanOf(t.Context(), policy, replication.PlanFor(replication.ForceDeletes()))
	require.NoError(t, err)

	proxy.Reset()
	res, err := r.Sync(t.Context(), policy, replication.ForceDeletes())
	require.NoError(t, err)
	require.EqualValues(t, n, res.Deleted)
	made := proxy.Counts()
	t.Logf("deleted %d of %d with %v in %v", n, n, made, res.Duration.Round(time.Millisecond))
	require.Equal(t, n/1000, made["DeleteObjects"])
	scan := n/1000 + 1
	require.LessOrEqual(t, made["ListObjects"], scan+n/1000)
	require.Len(t, made, 2, "no HEAD, no single DELETE: %v", made)
	require.EqualValues(t, made["DeleteObjects"], plan.Requests.Most.Destination.Delete)
	require.LessOrEqual(t, plan.Requests.Least.Destination.List, int64(made["ListObjects"]))
	require.GreaterOrEqual(t, plan.Requests.Most.Destination.List, int64(made["ListObjects"]))

	proxy.Reset()
	res, err = r.Sync(t.Context(), policy)
	require.NoError(t, err)
	require.Zero(t, res.Deleted)
	require.Equal(t, map[string]int{"ListObjects": 1}, proxy.Counts())
}

// From bucket to bucket neither side is asked key by key. Answers are lost on
// the way, and odd keys go out by themselves.
func TestDeletionsFromBucketToBucketThroughLostAnswers(t *testing.T) {
	for name, server := range map[string]*testutil.Server{"minio": testutil.SharedMinIO(t), "versitygw": testutil.SharedVersityGW(t)} {
		t.Run(name, func(t *testing.T) {
			const n = 300
			from, to := bucket(server, server.NewBucket(t)), bucket(server, server.NewBucket(t))
			source, destination := testutil.CountingProxy(t, server.Endpoint), testutil.CountingProxy(t, server.Endpoint)
			client := server.Client(t)
			odd := []string{"a&b<c>", "tab\tbed", "ünïcode", "sp ace", "per%41cent"}
			if name == "minio" {
				odd = append(odd, "control\x01") // versitygw cannot list it
			}
			keys := append([]string{"stays"}, odd...)
			for i := range n {
				keys = append(keys, fmt.Sprintf("dir/%04d", i))
			}
			for _, key := range keys {
				_, err := client.PutObject(t.Context(), from["bucket"], key, strings.NewReader(key), int64(len(key)), minio.PutObjectOptions{})
				require.NoError(t, err)
			}
			from["endpoint"], to["endpoint"] = source.URL, destination.URL
			r := replicator(t)
			policy := replication.Policy{
				ID: "p", SourceBackend: "minio", SourceSettings: from, DestinationBackend: "s3", DestinationSettings: to, MaxDelete: "off",
			}
			_, err := r.Sync(t.Context(), policy)
			require.NoError(t, err)
			for _, key := range keys[1:] {
				require.NoError(t, client.RemoveObject(t.Context(), from["bucket"], key, minio.RemoveObjectOptions{}))
			}
			var lost atomic.Int64
			destination.Intercept(func(op string, w http.ResponseWriter, r *http.Request, next http.Handler) {
				if op == "DeleteObjects" && lost.Add(1) == 1 {
					next.ServeHTTP(&silent{header: http.Header{}}, r)
					panic(http.ErrAbortHandler)
				}
				next.ServeHTTP(w, r)
			})
			source.Reset()
			destination.Reset()
			res, err := r.Sync(t.Context(), policy)
			require.NoError(t, err)
			require.EqualValues(t, len(keys)-1, res.Deleted)
			require.Equal(t, []string{"stays"}, keysIn(t, client, to["bucket"]))
			t.Logf("source %v, destination %v", source.Counts(), destination.Counts())
			require.LessOrEqual(t, destination.Counts()["DeleteObjects"], 2)
			require.LessOrEqual(t, source.Counts()["HeadObject"], len(keys)-1)
		})
	}
}

// silent takes an answer that nobody gets.
type silent struct{ header http.Header }

func (s *silent) Header() http.Header         { return s.header }
func (s *silent) WriteHeader(int)             {}
func (s *silent) Write(p []byte) (int, error) { return len(p), nil }

// keysIn lists a bucket.
func keysIn(t *testing.T, client *minio.Client, name string) (keys []string) {
	t.Helper()
	for o := range client.ListObjects(t.Context(), name, minio.ListObjectsOptions{Recursive: true}) {
		require.NoError(t, o.Err)
		keys = append(keys, o.Key)
	}
	sort.Strings(keys)
	return keys
}

// What is deleted is in the trash, with its metadata, and no byte of it has
// passed through this process.
func TestATrashInABucket(t *testing.T) {
	for name, server := range map[string]*testutil.Server{"minio": testutil.SharedMinIO(t), "versitygw": testutil.SharedVersityGW(t)} {
		t.Run(name, func(t *testing.T) {
			settings := bucket(server, server.NewBucket(t))
			name := settings["bucket"]
			proxy := testutil.CountingProxy(t, server.Endpoint)
			settings["endpoint"] = proxy.URL
			source := files(t, 50)
			large := bytes.Repeat([]byte("0123456789abcdef"), 100_000)
			require.NoError(t, os.WriteFile(filepath.Join(source, "large & odd+.bin"), large, 0o644))
			r := replicator(t)
			policy := upload("s3", source, settings)
			policy.DestinationPrefix, policy.TrashPrefix, policy.MaxDelete = "copies/", "copies/.trash/", "off"
			_, err := r.Sync(t.Context(), policy)
			require.NoError(t, err)
			client := server.Client(t)
			before, err := client.StatObject(t.Context(), name, "copies/large & odd+.bin", minio.StatObjectOptions{})
			require.NoError(t, err)
			require.NoError(t, os.Remove(filepath.Join(source, "large & odd+.bin")))
			for i := range 30 {
				require.NoError(t, os.Remove(filepath.Join(source, fmt.Sprintf("%04d.txt", i))))
			}
			proxy.Reset()
			res, err := r.Sync(t.Context(), policy)
			require.NoError(t, err)
			require.EqualValues(t, 31, res.Deleted)
			made := proxy.Counts()
			t.Log(made)
			require.Equal(t, 31+4, made["CopyObject"], "four are the probe's")
			if server == testutil.SharedVersityGW(t) {
				// It compares the tag of one deletion, and not those of many.
				require.Equal(t, 31+2, made["DeleteObject"])
				require.Equal(t, 1, made["DeleteObjects"], "the probe's")
				require.Zero(t, made["GetObject"]+made["HeadObject"])
			} else {
				require.Equal(t, 1, made["DeleteObjects"])
				require.Equal(t, 2, made["PutObject"], "the probe's")
				require.Zero(t, made["GetObject"]+made["HeadObject"])
			}

			keys := keysIn(t, client, name)
			require.Len(t, keys, 51)
			require.True(t, strings.HasPrefix(keys[0], "copies/.trash/2"), keys[0])
			directory := keys[0][:len("copies/.trash/20060102T150405Z/")]
			o, err := client.GetObject(t.Context(), name, directory+"large & odd+.bin", minio.GetObjectOptions{})
			require.NoError(t, err)
			defer o.Close()
			data, err := io.ReadAll(o)
			require.NoError(t, err)
			require.True(t, bytes.Equal(large, data))
			after, err := o.Stat()
			require.NoError(t, err)
			require.Equal(t, before.UserMetadata, after.UserMetadata)
			require.Equal(t, before.ContentType, after.ContentType)
			_, err = r.VerifyOf(t.Context(), policy)
			require.NoError(t, err)
			res, err = r.Sync(t.Context(), policy)
			require.NoError(t, err)
			require.Zero(t, res.Synced+res.Deleted+res.Adopted)
		})
	}
}
