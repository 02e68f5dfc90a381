package gcs_test

import (
	"bytes"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
)

// A DELETE that names a generation deletes just that for good; one that names
// none leaves it as a noncurrent version
// (https://cloud.google.com/storage/docs/json_api/v1/objects/delete). And no
// listing may show what is not current.
func TestNoVersionOfAnObjectIsPurged(t *testing.T) {
	b, rec := proxied(t)
	ctx := t.Context()
	put(t, b, "plain", "1")
	tagged := put(t, b, "tagged", "1")
	require.NoError(t, b.Delete(ctx, "plain", backend.DeleteOptions{}))
	require.NoError(t, b.Delete(ctx, "tagged", backend.DeleteOptions{IfMatch: tagged.Tag}))
	uploader := b.(backend.PartUploader)
	for _, end := range []func(backend.PartUpload, backend.Part) error{
		func(u backend.PartUpload, p backend.Part) error {
			_, err := u.Complete(ctx, []backend.Part{p}, backend.Condition{})
			return err
		},
		func(u backend.PartUpload, _ backend.Part) error { return u.Abort(ctx) },
		func(backend.PartUpload, backend.Part) error {
			_, err := b.(backend.Sweeper).Sweep(ctx, time.Now().Add(time.Hour))
			return err
		},
	} {
		u, err := uploader.UploadParts(ctx, "whole", backend.PartsOptions{PartSize: 10})
		require.NoError(t, err)
		part, err := u.Put(ctx, 1, backend.Bytes([]byte("x")))
		require.NoError(t, err)
		require.NoError(t, end(u, part))
	}
	for _, err := range b.List(ctx, backend.ListOptions{}) {
		require.NoError(t, err)
	}
	objects, temporary := 0, 0
	for _, r := range rec.take() {
		for _, name := range []string{"versions", "softDeleted"} {
			require.NotEqual(t, "true", r.query.Get(name), "%s of %s", name, r.path)
		}
		if r.method != http.MethodDelete {
			continue
		}
		if strings.Contains(r.path, "/o/.objrepl/") {
			temporary++
			require.True(t, r.query.Has("generation"), "%s would leave a version", r.path)
			continue
		}
		objects++
		require.False(t, r.query.Has("generation"), "%s purges a version", r.path)
	}
	require.Equal(t, 2, objects)
	require.Equal(t, 6, temporary)
}

func TestAVersionedBucketKeepsWhatIsReplacedAndDeleted(t *testing.T) {
	b, rec := proxied(t)
	address := rec.url + "/storage/v1/b/" + strings.TrimPrefix(b.Properties().Location, "gs://"+strings.TrimPrefix(rec.url, "http://")+"/")
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPatch, address, bytes.NewReader([]byte(`{"versioning": {"enabled": true}}`)))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/json")
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	res, err := transport.RoundTrip(req)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Equal(t, http.StatusOK, res.StatusCode)

	first := put(t, b, "key", "first")
	second := put(t, b, "key", "second")
	require.NoError(t, b.Delete(t.Context(), "key", backend.DeleteOptions{IfMatch: second.Tag}))
	all := get(t, address+"/o?versions=true")
	require.Contains(t, all, string(first.Tag))
	require.Contains(t, all, string(second.Tag))
	_, err = b.Put(t.Context(), "key", backend.Bytes([]byte("third")), backend.PutOptions{If: backend.Condition{Absent: true}})
	require.NoError(t, err, "a noncurrent version is an absence")
}
