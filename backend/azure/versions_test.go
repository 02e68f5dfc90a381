package azure_test

import (
	"net/http"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/azure"
	"github.com/objrepl/replication/backend/internal/drivertest"
	"github.com/objrepl/replication/internal/testutil"
)

// A deletion that names no version keeps it, with versioning and with soft
// delete (https://learn.microsoft.com/en-us/rest/api/storageservices/delete-blob).
// And no listing may show what is not current.
func TestNoVersionOfAnObjectIsPurged(t *testing.T) {
	b, proxy, _ := watched(t)
	var mu sync.Mutex
	deletions := 0
	proxy.Intercept(func(_ string, w http.ResponseWriter, r *http.Request, next http.Handler) {
		mu.Lock()
		defer mu.Unlock()
		q := r.URL.Query()
		for _, name := range []string{"versionid", "snapshot", "deletetype"} {
			if q.Has(name) {
				t.Errorf("%s %s names a %s", r.Method, r.URL.Path, name)
			}
		}
		if r.Header.Get("X-Ms-Delete-Snapshots") != "" {
			t.Errorf("%s %s would purge snapshots", r.Method, r.URL.Path)
		}
		if include := q.Get("include"); include != "" {
			t.Errorf("a listing includes %s", include)
		}
		if r.Method == http.MethodDelete {
			deletions++
		}
		next.ServeHTTP(w, r)
	})
	put(t, b, "plain", "1", backend.PutOptions{})
	tagged := put(t, b, "tagged", "1", backend.PutOptions{})
	require.NoError(t, b.Delete(t.Context(), "plain", backend.DeleteOptions{}))
	require.NoError(t, b.Delete(t.Context(), "tagged", backend.DeleteOptions{IfMatch: tagged.Tag}))
	u := begin(t, b, "whole", backend.PartsOptions{PartSize: 10})
	putPart(t, u, 1, "x")
	require.NoError(t, u.Abort(t.Context()))
	for _, err := range b.List(t.Context(), backend.ListOptions{}) {
		require.NoError(t, err)
	}
	require.Equal(t, 2, deletions)
}

func TestAnObjectWithSnapshotsIsNotDeleted(t *testing.T) {
	server := testutil.SharedAzurite(t)
	name := server.NewContainer(t)
	b := drivertest.Open(t, azure.Driver, settings(server, name))
	put(t, b, "key", "abc", backend.PutOptions{})
	snapshot, err := sdk(t, server, name).NewBlockBlobClient("key").CreateSnapshot(t.Context(), nil)
	require.NoError(t, err)
	err = b.Delete(t.Context(), "key", backend.DeleteOptions{})
	require.ErrorContains(t, err, `delete azblob "key"`)
	require.ErrorContains(t, err, "delete its snapshots first")
	require.True(t, backend.Definite(err))
	require.Equal(t, "abc", read(t, b, "key"))

	put(t, b, "key", "abcdef", backend.PutOptions{})
	taken, err := sdk(t, server, name).NewBlockBlobClient("key").WithSnapshot(*snapshot.Snapshot)
	require.NoError(t, err)
	properties, err := taken.GetProperties(t.Context(), nil)
	require.NoError(t, err)
	require.EqualValues(t, 3, *properties.ContentLength)
	n := 0
	for page, err := range b.List(t.Context(), backend.ListOptions{}) {
		require.NoError(t, err)
		n += len(page)
	}
	require.Equal(t, 1, n)
}
