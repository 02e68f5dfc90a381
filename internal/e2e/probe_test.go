package e2e

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/minio/minio-go/v7"
	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication"
	"github.com/objrepl/replication/internal/testutil"
)

// probeName begins the last part of a probe's key (docs/FORMAT.md).
const probeName = ".objrepl-probe-"

// partsProbe is what asking about uploads in parts takes.
var partsProbe = map[string]int{
	"PutObject": 2, "CreateMultipartUpload": 1, "UploadPart": 1, "CompleteMultipartUpload": 3, "DeleteObject": 1,
}

// What real servers make of conditions, what it costs to find out, once, and
// what Status says of it.
func TestRealServersAreAskedOnceWhatTheyHonour(t *testing.T) {
	const minIO = ` ignores the condition and cannot delete conditionally: its tag is looked at just before, and a change in between is lost`
	for _, c := range []struct {
		name    string
		server  func(testing.TB) *testutil.Server
		weaker  string // what follows the destination's name, or nothing
		deletes int    // of the probe of objects
	}{
		{"MinIO", testutil.SharedMinIO, minIO, 1},
		{"versitygw", testutil.SharedVersityGW, "", 2},
	} {
		for _, driver := range []string{"s3", "minio"} {
			t.Run(c.name+"/"+driver, func(t *testing.T) {
				server := c.server(t)
				proxy := testutil.CountingProxy(t, server.Endpoint)
				settings := bucket(server, server.NewBucket(t))
				settings["endpoint"] = proxy.URL
				source, state := files(t, 20), filepath.Join(t.TempDir(), "state")
				require.NoError(t, os.WriteFile(filepath.Join(source, "large"), bytes.Repeat([]byte("x"), 6<<20), 0o644))
				settle(t, source)
				policy := upload(driver, source, settings)
				policy.DestinationPrefix = "copies/"
				run := func() (replication.Status, map[string]int) {
					t.Helper()
					r := replicator(t, replication.WithStateDir(state), replication.WithPartThreshold(6<<20), replication.WithPartSize(5<<20))
					require.NoError(t, r.AddPolicy(t.Context(), policy))
					proxy.Reset()
					_, err := r.SyncPolicy(t.Context(), policy.ID)
					require.NoError(t, err)
					made := proxy.Counts()
					status, err := r.Status(t.Context(), policy.ID)
					require.NoError(t, err)
					require.NoError(t, r.Close())
					return status, made
				}

				status, made := run()
				want := map[string]int{
					"PutObject": 20 + 4, "DeleteObject": c.deletes, "ListObjects": 1,
					"CreateMultipartUpload": 1, "UploadPart": 2, "CompleteMultipartUpload": 1,
				}
				for op, n := range partsProbe {
					want[op] += n
				}
				require.Equal(t, want, made)
				var weaker []string
				if c.weaker != "" {
					weaker = []string{fmt.Sprintf("destination %q%s", driver, c.weaker)}
				}
				require.Equal(t, weaker, status.Weaker)

				status, made = run()
				require.Equal(t, map[string]int{"ListObjects": 1}, made, "an unchanged pass asks nothing")
				require.Equal(t, weaker, status.Weaker)

				require.NoError(t, os.WriteFile(filepath.Join(source, "0003.txt"), []byte("another text"), 0o644))
				require.NoError(t, os.Remove(filepath.Join(source, "0005.txt")))
				_, made = run()
				want = map[string]int{"ListObjects": 1, "PutObject": 1, "DeleteObject": 1}
				if c.weaker != "" {
					want["HeadObject"] = 1 // the look before the deletion
				}
				require.Equal(t, want, made)

				for _, key := range objects(t, server, settings["bucket"]) {
					require.NotContains(t, key, probeName)
				}
				for u := range server.Client(t).ListIncompleteUploads(t.Context(), settings["bucket"], "", true) {
					require.NoError(t, u.Err)
					t.Error("upload left:", u.Key)
				}
			})
		}
	}
}

// A deletion races with a change at the destination. On a server that honours
// the condition the change stays, without a look before.
func TestADeletionOnVersityGWHoldsOnItsCondition(t *testing.T) {
	server := testutil.SharedVersityGW(t)
	proxy := testutil.CountingProxy(t, server.Endpoint)
	settings := bucket(server, server.NewBucket(t))
	settings["endpoint"] = proxy.URL
	source := files(t, 3)
	r := replicator(t)
	policy := upload("minio", source, settings)
	_, err := r.Sync(t.Context(), policy)
	require.NoError(t, err)
	require.NoError(t, os.Remove(filepath.Join(source, "0001.txt")))
	raced := raceDelete(t, proxy, func() {
		_, err := server.Client(t).PutObject(t.Context(), settings["bucket"], "0001.txt", bytes.NewReader([]byte("theirs")), 6, minio.PutObjectOptions{})
		require.NoError(t, err)
	})
	_, err = r.Sync(t.Context(), policy)
	require.ErrorIs(t, err, replication.ErrObjectsFailed)
	require.ErrorIs(t, err, replication.ErrDrift)
	require.True(t, *raced)
	require.Contains(t, objects(t, server, settings["bucket"]), "0001.txt")
	require.Equal(t, 1, proxy.Counts()["HeadObject"], "one look, after the refusal")
}

// raceDelete calls f right before the first DELETE reaches the server, and tells
// whether there was one.
func raceDelete(t *testing.T, proxy *testutil.Proxy, f func()) *bool {
	raced := new(bool)
	proxy.Reset()
	proxy.Intercept(func(op string, w http.ResponseWriter, r *http.Request, next http.Handler) {
		if op == "DeleteObject" && !*raced {
			*raced = true
			f()
		}
		next.ServeHTTP(w, r)
	})
	t.Cleanup(func() { proxy.Intercept(nil) })
	return raced
}
