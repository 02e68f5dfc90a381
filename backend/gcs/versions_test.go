package gcs_test

import (
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
