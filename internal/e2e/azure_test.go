package e2e

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication"
	"github.com/objrepl/replication/backend/azure"
	"github.com/objrepl/replication/internal/testutil"
)

// azureContainer returns the settings of a fresh container, and a proxy in front
// of it.
func azureContainer(t *testing.T) (map[string]string, *testutil.Proxy) {
	server := testutil.SharedAzurite(t)
	proxy := testutil.CountingProxy(t, server.Endpoint)
	return map[string]string{
		"containerName": server.NewContainer(t), "accountName": server.AccessKey,
		"accountKey": server.SecretKey, "endpoint": proxy.URL + "/" + server.AccessKey,
	}, proxy
}

func TestARealTreeGoesToAzureAndComesBackEqual(t *testing.T) {
	store, proxy := azureContainer(t)
	source, back := realTree(t), filepath.Join(t.TempDir(), "back")
	// Names that Azure lists in another order than that of bytes.
	for _, name := range []string{"😀.txt", "（1）.txt", "z😀/a", "z（/b", "z（/😀", "z（/（"} {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(source, name)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(source, name), []byte(name), 0o644))
	}
	r := replicator(t, replication.WithDrivers(azure.Driver))
	there := upload("azblob", source, store)
	there.TrashPrefix = ".trash/"
	res, err := r.Sync(t.Context(), there)
	require.NoError(t, err)
	require.Positive(t, res.Synced)
	require.Zero(t, res.Failed)
	fetch := func() string {
		_, err := r.Sync(t.Context(), replication.Policy{
			ID: "back", SourceBackend: "azblob", SourceSettings: store, Exclude: []string{".trash/**"},
			DestinationBackend: "local", DestinationSettings: directory(back),
		}, replication.ForceDeletes())
		require.NoError(t, err)
		return back
	}
	requireSameTree(t, source, fetch())

	// An unchanged pass lists, and does nothing else.
	var others atomic.Int64
	proxy.Intercept(func(_ string, w http.ResponseWriter, req *http.Request, next http.Handler) {
		if req.URL.Query().Get("comp") != "list" {
			others.Add(1)
		}
		next.ServeHTTP(w, req)
	})
	res, err = r.Sync(t.Context(), there)
	require.NoError(t, err)
	require.Zero(t, res.Synced+res.Adopted+res.Deleted)
	require.Zero(t, others.Load())

	// What is deleted goes to the trash, copied by the service.
	var copies, reads atomic.Int64
	proxy.Intercept(func(_ string, w http.ResponseWriter, req *http.Request, next http.Handler) {
		switch {
		case req.Header.Get("X-Ms-Copy-Source") != "":
			copies.Add(1)
		case req.Method == http.MethodGet && req.URL.Query().Get("comp") == "":
			reads.Add(1)
		}
		next.ServeHTTP(w, req)
	})
	require.NoError(t, os.Remove(filepath.Join(source, "😀.txt")))
	require.NoError(t, os.RemoveAll(filepath.Join(source, "z（")))
	res, err = r.Sync(t.Context(), there, replication.ForceDeletes())
	require.NoError(t, err)
	require.EqualValues(t, 4, res.Deleted)
	require.EqualValues(t, 4, copies.Load())
	require.Zero(t, reads.Load())
	proxy.Intercept(nil)
	requireSameTree(t, source, fetch())
}

// A process ends amid a large file. The next one asks which blocks there are and
// sends the others.
func TestALargeFileToAzureGoesOnAfterItsProcessEnded(t *testing.T) {
	store, proxy := azureContainer(t)
	source, hash := bigFile(t, 100*mib)
	settle(t, source)
	state := filepath.Join(t.TempDir(), "state")
	policy := upload("azblob", source, store)
	var sent atomic.Int64 // bytes of blocks
	var staged atomic.Int64
	stop := func(after int64, end func()) {
		staged.Store(0)
		proxy.Intercept(func(_ string, w http.ResponseWriter, req *http.Request, next http.Handler) {
			block := req.Method == http.MethodPut && req.URL.Query().Get("comp") == "block" && req.ContentLength > mib
			if block {
				req.Body = &counted{req.Body, &sent}
			}
			status := &statusOf{ResponseWriter: w}
			next.ServeHTTP(status, req)
			if block && status.code == http.StatusCreated && staged.Add(1) == after {
				end()
			}
		})
	}
	start := func() *replication.Replicator {
		return replicator(t, replication.WithStateDir(state), replication.WithDrivers(azure.Driver))
	}
	r := start()
	ctx, cancel := context.WithCancel(t.Context())
	stop(9, cancel) // of 13, two a part
	_, err := r.Sync(ctx, policy)
	require.ErrorIs(t, err, context.Canceled)
	require.NoError(t, r.Close())

	r = start()
	stop(-1, nil)
	res, err := r.Sync(t.Context(), policy)
	require.NoError(t, err)
	require.EqualValues(t, 1, res.Synced)
	require.Less(t, staged.Load(), int64(13), "nothing went on")
	require.Less(t, sent.Load(), int64(200*mib))

	proxy.Intercept(nil)
	back := t.TempDir()
	_, err = r.Sync(t.Context(), replication.Policy{
		ID: "back", SourceBackend: "azblob", SourceSettings: store,
		DestinationBackend: "local", DestinationSettings: directory(back),
	})
	require.NoError(t, err)
	require.Equal(t, hash, hashOf(t, filepath.Join(back, "big")))
}
