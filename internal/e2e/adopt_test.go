package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	mc "github.com/minio/minio-go/v7"
	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication"
	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/azure"
	"github.com/objrepl/replication/internal/testutil"
)

// What another tool has copied before costs a look each and no transfer, by the
// checksums that the stores have.
func TestWhatAnotherToolHasCopiedIsAdoptedWithoutATransfer(t *testing.T) {
	const n = 100
	source := files(t, n)
	server := testutil.SharedMinIO(t)
	name := server.NewBucket(t)
	for i := range n {
		key := fmt.Sprintf("%04d.txt", i)
		_, err := server.Client(t).FPutObject(t.Context(), name, key, filepath.Join(source, key), mc.PutObjectOptions{})
		require.NoError(t, err)
	}
	proxy := testutil.CountingProxy(t, server.Endpoint)
	minio := bucket(server, name)
	minio["endpoint"] = proxy.URL
	r := replicator(t, replication.WithDrivers(azure.Driver))
	adopt := func(p replication.Policy) {
		t.Helper()
		proxy.Reset()
		res, err := r.Sync(t.Context(), p)
		require.NoError(t, err)
		require.EqualValues(t, n, res.Adopted)
		require.Zero(t, res.BytesTotal)
		for _, op := range []string{"GetObject", "PutObject", "CopyObject"} {
			require.Zero(t, proxy.Counts()[op], op)
		}
	}

	policy := upload("s3", source, minio)
	adopt(policy)
	require.Equal(t, n, proxy.Counts()["HeadObject"])
	t.Logf("a directory that is in MinIO already: %v", proxy.Counts())

	container, azurite := azureContainer(t)
	b, err := azure.Driver.Open(t.Context(), container)
	require.NoError(t, err)
	for i := range n {
		data, err := os.ReadFile(filepath.Join(source, fmt.Sprintf("%04d.txt", i)))
		require.NoError(t, err)
		_, err = b.Put(t.Context(), fmt.Sprintf("%04d.txt", i), backend.Bytes(data), backend.PutOptions{})
		require.NoError(t, err)
	}
	require.NoError(t, b.Close())
	azurite.Reset()
	adopt(replication.Policy{
		ID: "across", SourceBackend: "s3", SourceSettings: minio,
		DestinationBackend: "azblob", DestinationSettings: container,
	})
	require.Equal(t, 1, proxy.Counts()["ListObjects"])
	require.Len(t, proxy.Counts(), 1, "nothing but the listing: %v", proxy.Counts())
	t.Logf("a bucket that is in Azurite already: %v and %v", proxy.Counts(), azurite.Counts())
}
