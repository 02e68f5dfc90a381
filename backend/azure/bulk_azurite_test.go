package azure_test

import (
	"bytes"
	"io"
	"io/fs"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/sas"
	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/azure"
	"github.com/objrepl/replication/backend/internal/drivertest"
	"github.com/objrepl/replication/internal/testutil"
)

func deleteMany(t *testing.T, b backend.Backend, deletions ...backend.Deletion) []error {
	t.Helper()
	bulk, ok := backend.As[backend.BulkDeleter](b)
	require.True(t, ok)
	errs := bulk.DeleteMany(t.Context(), deletions)
	require.Len(t, errs, len(deletions))
	return errs
}

// Beside what backendtest asks: one request, and an object with snapshots stays.
func TestManyDeletionsOnAzurite(t *testing.T) {
	server := testutil.SharedAzurite(t)
	name := server.NewContainer(t)
	proxy := testutil.CountingProxy(t, server.Endpoint)
	b := drivertest.Open(t, azure.Driver, drivertest.With(settings(server, name), "endpoint", proxy.URL+"/"+server.AccessKey))
	old := put(t, b, "moved", "1", backend.PutOptions{})
	moved := put(t, b, "moved", "2", backend.PutOptions{})
	same := put(t, b, "same/a b+%41é?#&.txt", "1", backend.PutOptions{})
	kept := put(t, b, "kept", "1", backend.PutOptions{})
	put(t, b, "stays", "1", backend.PutOptions{})
	_, err := sdk(t, server, name).NewBlockBlobClient("kept").CreateSnapshot(t.Context(), nil)
	require.NoError(t, err)

	proxy.Reset()
	var sent []byte
	proxy.Intercept(func(_ string, w http.ResponseWriter, r *http.Request, next http.Handler) {
		sent, _ = io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(sent))
		require.Equal(t, "POST batch", r.Method+" "+r.URL.Query().Get("comp"))
		next.ServeHTTP(w, r)
	})
	errs := deleteMany(t, b,
		backend.Deletion{Key: "moved", IfMatch: old.Tag},
		backend.Deletion{Key: same.Key, IfMatch: same.Tag},
		backend.Deletion{Key: "kept", IfMatch: kept.Tag},
		backend.Deletion{Key: "absent"},
		backend.Deletion{Key: "absent", IfMatch: old.Tag},
	)
	require.Len(t, proxy.Requests(), 1)
	proxy.Intercept(nil)
	require.NotContains(t, strings.ToLower(string(sent)), "x-ms-delete-snapshots")
	require.NotContains(t, string(sent), "versionid")
	require.ErrorIs(t, errs[0], backend.ErrPrecondition)
	require.NoError(t, errs[1])
	require.ErrorContains(t, errs[2], "delete its snapshots first")
	require.True(t, backend.Definite(errs[2]))
	require.NoError(t, errs[3])
	require.ErrorIs(t, errs[4], backend.ErrPrecondition, "or absent: the contract leaves it open")
	left := map[string]backend.Tag{}
	for page, err := range b.List(t.Context(), backend.ListOptions{}) {
		require.NoError(t, err)
		for _, o := range page {
			left[o.Key] = o.Tag
		}
	}
	require.Len(t, left, 3)
	require.Equal(t, moved.Tag, left["moved"])
	require.Contains(t, left, "kept")
	require.Contains(t, left, "stays")
}

func TestASharedAccessSignatureSufficesForMany(t *testing.T) {
	server := testutil.SharedAzurite(t)
	name := server.NewContainer(t)
	open := func(p sas.ContainerPermissions) backend.Backend {
		signed, err := sdk(t, server, name).GetSASURL(p, time.Now().Add(time.Hour), nil)
		require.NoError(t, err)
		_, token, _ := strings.Cut(signed, "?")
		return drivertest.Open(t, azure.Driver, backend.Settings{"containerName": name, "accountName": server.AccessKey, "endpoint": server.BlobEndpoint(), "sasToken": token})
	}
	b := open(sas.ContainerPermissions{Read: true, Write: true, Delete: true})
	o := put(t, b, "a b/c", "abc", backend.PutOptions{})
	err := deleteMany(t, open(sas.ContainerPermissions{Read: true, Write: true}), backend.Deletion{Key: "a b/c", IfMatch: o.Tag})[0]
	require.ErrorIs(t, err, fs.ErrPermission)
	require.NotContains(t, err.Error(), "sig=")
	require.Equal(t, "abc", read(t, b, "a b/c"))
	require.NoError(t, deleteMany(t, b, backend.Deletion{Key: "a b/c", IfMatch: o.Tag})[0])
	_, err = b.Stat(t.Context(), "a b/c")
	require.ErrorIs(t, err, fs.ErrNotExist)
}

func TestABatchThatIsRefusedIsTold(t *testing.T) {
	server := testutil.SharedAzurite(t)
	s := settings(server, server.NewContainer(t))
	for _, c := range []struct {
		setting, value, hint string
		class                error
	}{
		{"accountKey", "d3Jvbmcga2V5", "accountKey", fs.ErrPermission},
		{"containerName", "test-not-there", "check containerName", backend.ErrStoreNotFound},
	} {
		b := drivertest.Open(t, azure.Driver, drivertest.With(s, c.setting, c.value))
		errs := deleteMany(t, b, backend.Deletion{Key: "key"}, backend.Deletion{Key: "key", IfMatch: "0x1"})
		for _, err := range errs {
			drivertest.Refused(t, map[string]error{"delete many": err}, azure.Driver, c.class, c.hint, "d3Jvbmcga2V5")
		}
	}
}
