package e2e

import (
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication"
	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/internal/testutil"
)

// files writes n small files and returns their directory.
func files(t *testing.T, n int) string {
	t.Helper()
	dir := t.TempDir()
	for i := range n {
		require.NoError(t, os.WriteFile(filepath.Join(dir, fmt.Sprintf("%04d.txt", i)), fmt.Appendf(nil, "file %d", i), 0o644))
	}
	return dir
}

func upload(driver, source string, destination map[string]string) replication.Policy {
	return replication.Policy{
		ID: "upload", SourceBackend: "local", SourceSettings: directory(source),
		DestinationBackend: driver, DestinationSettings: destination,
	}
}

// requireSays wants an error to name the policy and all of the words, in one
// line, and to hold no secret.
func requireSays(t *testing.T, err error, server *testutil.Server, words ...string) {
	t.Helper()
	require.Error(t, err)
	for _, w := range append(words, `policy "upload"`) {
		require.Contains(t, err.Error(), w)
	}
	if server != nil {
		require.NotContains(t, err.Error(), server.SecretKey)
	}
}

func TestBadInputIsNamedAndSaysWhatToChange(t *testing.T) {
	server := testutil.SharedMinIO(t)
	for _, driver := range []string{"s3", "minio"} {
		t.Run(driver, func(t *testing.T) {
			source := files(t, 3)
			good := func() map[string]string { return bucket(server, server.NewBucket(t)) }
			with := func(name, value string) map[string]string {
				s := good()
				s[name] = value
				return s
			}
			for _, c := range []struct {
				name        string
				source      string
				destination map[string]string
				class       error
				words       []string
			}{
				{"missing bucket", source, with("bucket", "no-such-bucket-here"), backend.ErrStoreNotFound, []string{"destination", driver, "no-such-bucket-here", "bucket"}},
				{"wrong secret key", source, with("secretKey", "wrong-secret-key"), fs.ErrPermission, []string{"destination", driver, "secretKey"}},
				{"unknown access key", source, with("accessKey", "nobody"), fs.ErrPermission, []string{"destination", driver, "accessKey"}},
				{"server that is not there", source, with("endpoint", "http://127.0.0.1:1"), backend.ErrUnavailable, []string{"destination", driver, "endpoint"}},
				{"vanished source", filepath.Join(source, "gone"), good(), backend.ErrStoreNotFound, []string{"source", "local", "gone", "missing"}},
			} {
				t.Run(c.name, func(t *testing.T) {
					res, err := replicator(t).Sync(t.Context(), upload(driver, c.source, c.destination))
					require.ErrorIs(t, err, c.class)
					requireSays(t, err, server, c.words...)
					require.NotContains(t, err.Error(), "wrong-secret-key")
					require.Zero(t, res.Synced)
				})
			}
		})
	}
}

func TestUnknownAndMissingSettingsAreNamedWithThoseAllowed(t *testing.T) {
	r := replicator(t)
	err := r.AddPolicy(t.Context(), replication.Policy{
		ID: "p", SourceBackend: "local", SourceSettings: map[string]string{"pth": "/x"},
		DestinationBackend: "s3", DestinationSettings: map[string]string{"bukket": "b"},
	})
	require.ErrorIs(t, err, replication.ErrInvalidPolicy)
	for _, word := range []string{`"pth"`, "path", "durability", `"bukket"`, "bucket", "endpoint", "source_settings", "destination_settings"} {
		require.Contains(t, err.Error(), word)
	}
}

func TestAServerThatStopsInTheMiddleLosesNothing(t *testing.T) {
	for _, driver := range []string{"s3", "minio"} {
		t.Run(driver, func(t *testing.T) {
			server := testutil.MinIO(t)
			proxy := testutil.CountingProxy(t, server.Endpoint)
			source := files(t, 400)
			r := replicator(t, replication.WithConcurrency(4), replication.WithOutagePatience(0))
			settings := bucket(server, server.NewBucket(t))
			direct := settings["endpoint"]
			settings["endpoint"] = proxy.URL
			var puts atomic.Int64
			proxy.Intercept(func(op string, w http.ResponseWriter, req *http.Request, next http.Handler) {
				if op == "PutObject" && puts.Add(1) == 100 {
					server.Kill(t)
				}
				next.ServeHTTP(w, req)
			})
			res, err := r.Sync(t.Context(), upload(driver, source, settings))
			require.ErrorIs(t, err, backend.ErrUnavailable)
			requireSays(t, err, server, driver)
			require.Less(t, res.Failed, int64(400))
			proxy.Intercept(nil)

			server.Start(t)
			settings["endpoint"] = direct
			res, err = r.Sync(t.Context(), upload(driver, source, settings))
			require.NoError(t, err)
			require.EqualValues(t, 400, res.Synced+res.Adopted+res.Skipped)
			require.Less(t, res.Synced, int64(400), "what was acknowledged is not sent again")
			back := filepath.Join(t.TempDir(), "back")
			_, err = r.Sync(t.Context(), replication.Policy{
				ID: "back", SourceBackend: driver, SourceSettings: settings,
				DestinationBackend: "local", DestinationSettings: directory(back),
			})
			require.NoError(t, err)
			requireSameTree(t, source, back)
		})
	}
}

func TestADirectoryIsNotReplicatedIntoItself(t *testing.T) {
	dir := files(t, 1)
	for _, c := range []struct{ from, to string }{{dir, dir}, {dir, filepath.Join(dir, "backup")}, {filepath.Join(dir, "sub"), dir}} {
		require.NoError(t, os.MkdirAll(c.from, 0o755))
		_, err := replicator(t).Sync(t.Context(), upload("local", c.from, directory(c.to)))
		require.ErrorIs(t, err, replication.ErrInvalidPolicy)
		requireSays(t, err, nil, "overlap")
	}
	// A sibling whose name begins alike is another directory.
	_, err := replicator(t).Sync(t.Context(), upload("local", dir, directory(dir+"-copy")))
	require.NoError(t, err)
	require.NoError(t, os.RemoveAll(dir+"-copy"))
}

func TestTwoDriversOfOneBucketAreOnePlace(t *testing.T) {
	server := testutil.SharedMinIO(t)
	settings := bucket(server, server.NewBucket(t))
	_, err := replicator(t).Sync(t.Context(), replication.Policy{
		ID: "upload", SourceBackend: "s3", SourceSettings: settings,
		DestinationBackend: "minio", DestinationSettings: settings,
	})
	require.ErrorIs(t, err, replication.ErrInvalidPolicy)
	requireSays(t, err, server, "overlap", strings.TrimPrefix(server.Endpoint, "http://"))
}

func TestAFileChangedInPlaceAtTheDestinationIsDrift(t *testing.T) {
	source, destination := files(t, 3), filepath.Join(t.TempDir(), "to")
	r := replicator(t)
	policy := upload("local", source, directory(destination))
	_, err := r.Sync(t.Context(), policy)
	require.NoError(t, err)
	// In place: the extended attribute with the marker stays with the file.
	f, err := os.OpenFile(filepath.Join(destination, "0001.txt"), os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = f.WriteString("FILE")
	require.NoError(t, err)
	require.NoError(t, f.Close())
	_, err = r.Sync(t.Context(), policy)
	require.ErrorIs(t, err, replication.ErrDrift)
	require.Equal(t, "FILE 1", string(tree(t, destination)["0001.txt"].content))
	policy.Drift = replication.Overwrite
	_, err = r.Sync(t.Context(), policy)
	require.NoError(t, err)
	requireSameTree(t, source, destination)
}
