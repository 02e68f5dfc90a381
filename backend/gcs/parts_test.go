package gcs_test

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/gcs"
	"github.com/objrepl/replication/backend/internal/drivertest"
	"github.com/objrepl/replication/internal/testutil"
)

// hidden counts what a bucket has under the reserved prefix, as the server
// itself lists it.
func hidden(t *testing.T, server *testutil.Server, bucket string) int {
	t.Helper()
	body := get(t, server.Endpoint+"/storage/v1/b/"+bucket+"/o?prefix=.objrepl/")
	return strings.Count(body, `"name":".objrepl/`)
}

// 1,030 parts take a second page of the listing, and three levels.
func TestManyPartsAreComposedInLevels(t *testing.T) {
	server := testutil.SharedFakeGCS(t)
	bucket := server.NewGCSBucket(t)
	b := drivertest.Open(t, gcs.Driver, backend.Settings{"bucket": bucket, "endpoint": server.Endpoint})
	ctx := t.Context()
	m := backend.Metadata{ContentType: "text/x", CacheControl: "no-cache", ModTime: time.Unix(1_700_000_000, 5), User: map[string]string{"a": "Grüße\n"}}
	u, err := b.(backend.PartUploader).UploadParts(ctx, "dir/whole", backend.PartsOptions{PartSize: 8, Metadata: m})
	require.NoError(t, err)
	parts := make([]backend.Part, 1030)
	var want bytes.Buffer
	var group errgroup.Group
	group.SetLimit(8)
	for i := range parts {
		data := fmt.Appendf(nil, "%d,", i+1)
		want.Write(data)
		group.Go(func() (err error) {
			parts[i], err = u.Put(ctx, i+1, backend.Bytes(data))
			return err
		})
	}
	require.NoError(t, group.Wait())
	there, err := u.Parts(ctx)
	require.NoError(t, err)
	require.Equal(t, parts, there)
	require.NotZero(t, hidden(t, server, bucket))
	for page, err := range b.List(ctx, backend.ListOptions{}) {
		require.NoError(t, err)
		require.Empty(t, page)
	}

	o, err := u.Complete(ctx, parts, backend.Condition{Absent: true})
	require.NoError(t, err)
	require.EqualValues(t, want.Len(), o.Size)
	got, r, err := b.Open(ctx, "dir/whole", backend.OpenOptions{IfMatch: o.Tag})
	require.NoError(t, err)
	data, err := io.ReadAll(r)
	require.NoError(t, err)
	require.NoError(t, r.Close())
	require.Equal(t, want.String(), string(data))
	require.True(t, m.ModTime.Equal(got.Metadata.ModTime))
	got.Metadata.ModTime = m.ModTime
	require.Equal(t, m, *got.Metadata)
	require.Zero(t, hidden(t, server, bucket), "nothing temporary is left")
}

func TestSweepRemovesWholeUploadsThatAreOld(t *testing.T) {
	server := testutil.SharedFakeGCS(t)
	bucket := server.NewGCSBucket(t)
	b := drivertest.Open(t, gcs.Driver, backend.Settings{"bucket": bucket, "endpoint": server.Endpoint})
	ctx := t.Context()
	put(t, b, "kept", "1")
	for _, key := range []string{"a", "b"} {
		u, err := b.(backend.PartUploader).UploadParts(ctx, key, backend.PartsOptions{PartSize: 10})
		require.NoError(t, err)
		_, err = u.Put(ctx, 1, backend.Bytes([]byte("x")))
		require.NoError(t, err)
	}
	sweeper := b.(backend.Sweeper)
	n, err := sweeper.Sweep(ctx, time.Now().Add(-time.Hour))
	require.NoError(t, err)
	require.Zero(t, n)
	require.Equal(t, 4, hidden(t, server, bucket))
	n, err = sweeper.Sweep(ctx, time.Now().Add(time.Hour))
	require.NoError(t, err)
	require.Equal(t, 4, n)
	require.Zero(t, hidden(t, server, bucket))
	_, err = b.Stat(ctx, "kept")
	require.NoError(t, err)
}

// An id comes from a journal; one that was tampered with names nothing else.
func TestIDsOfUploadsNameNothingElse(t *testing.T) {
	server := testutil.SharedFakeGCS(t)
	b := drivertest.Open(t, gcs.Driver, backend.Settings{"bucket": server.NewGCSBucket(t), "endpoint": server.Endpoint})
	put(t, b, "kept", "1")
	for _, id := range []string{"..", "../../kept", strings.Repeat("a", 25) + "/"} {
		u, err := b.(backend.PartUploader).UploadParts(t.Context(), "kept", backend.PartsOptions{ID: id, PartSize: 10})
		require.NoError(t, err)
		require.NoError(t, u.Abort(t.Context()))
		_, err = u.Parts(t.Context())
		require.ErrorContains(t, err, "is no upload")
	}
	_, err := b.Stat(t.Context(), "kept")
	require.NoError(t, err)
}

func TestReservedKeysAreRefused(t *testing.T) {
	server := testutil.SharedFakeGCS(t)
	b := drivertest.Open(t, gcs.Driver, backend.Settings{"bucket": server.NewGCSBucket(t), "endpoint": server.Endpoint})
	_, err := b.Put(t.Context(), ".objrepl/uploads/x", backend.Bytes(nil), backend.PutOptions{})
	require.ErrorIs(t, err, backend.ErrInvalidKey)
	put(t, b, ".objrepl-probe-X", "1") // the engine's own is another one
}
