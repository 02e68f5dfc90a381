package gcs_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"io/fs"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/gcs"
	"github.com/objrepl/replication/backend/internal/drivertest"
	"github.com/objrepl/replication/internal/testutil"
)

func fresh(t *testing.T) backend.Backend {
	server := testutil.SharedFakeGCS(t)
	return drivertest.Open(t, gcs.Driver, backend.Settings{"bucket": server.NewGCSBucket(t), "endpoint": server.Endpoint})
}

func TestGzipIsReadAsItIsStored(t *testing.T) {
	b := fresh(t)
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_, err := io.WriteString(w, strings.Repeat("much of the same ", 100))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	_, err = b.Put(t.Context(), "key", backend.Bytes(packed.Bytes()), backend.PutOptions{Metadata: backend.Metadata{ContentEncoding: "gzip"}})
	require.NoError(t, err)
	for _, opts := range []backend.OpenOptions{{}, {Offset: 5}, {Offset: 5, Length: 7}} {
		o, r, err := b.Open(t.Context(), "key", opts)
		require.NoError(t, err)
		got, err := io.ReadAll(r)
		require.NoError(t, err)
		require.NoError(t, r.Close())
		want := packed.Bytes()[opts.Offset:]
		if opts.Length > 0 {
			want = want[:opts.Length]
		}
		require.Equal(t, want, got)
		require.EqualValues(t, packed.Len(), o.Size)
		require.Equal(t, "gzip", o.Metadata.ContentEncoding)
	}
}

func TestNoContentTypeIsMadeUp(t *testing.T) {
	b := fresh(t)
	for _, size := range []int{10, 9 << 20} { // in one request, and in several
		put(t, b, "key", strings.Repeat("<html>", size/6))
		o, err := b.Stat(t.Context(), "key")
		require.NoError(t, err)
		require.Empty(t, o.Metadata.ContentType)
	}
	m := backend.Metadata{ContentType: "application/octet-stream"}
	_, err := b.Put(t.Context(), "key", backend.Bytes([]byte("1")), backend.PutOptions{Metadata: m})
	require.NoError(t, err)
	o, err := b.Stat(t.Context(), "key")
	require.NoError(t, err)
	require.Equal(t, m.ContentType, o.Metadata.ContentType)
}

// Of a body of unknown size only its own word says that it is whole.
func TestABodyThatBreaksIsNotTakenForAShortOne(t *testing.T) {
	b := fresh(t)
	for _, size := range []int64{100, 200_000, 9 << 20} {
		broken := backend.Body{Size: -1, Open: func(int64) (io.ReadCloser, error) {
			return io.NopCloser(io.MultiReader(io.LimitReader(zeros{}, size), iotest.ErrReader(io.ErrUnexpectedEOF))), nil
		}}
		_, err := b.Put(t.Context(), "key", broken, backend.PutOptions{})
		require.ErrorIs(t, err, io.ErrUnexpectedEOF)
		_, err = b.Stat(t.Context(), "key")
		require.ErrorIs(t, err, fs.ErrNotExist)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// Versions are the user's to purge, temporary objects are not versions.
func TestVersionedBucketsKeepObjectsAndNothingTemporary(t *testing.T) {
	server := testutil.SharedFakeGCS(t)
	const bucket = "versioned-bucket"
	res, err := http.Post(server.Endpoint+"/storage/v1/b?project=test", "application/json", strings.NewReader(`{"name": "`+bucket+`", "versioning": {"enabled": true}}`))
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Equal(t, http.StatusOK, res.StatusCode)
	b := drivertest.Open(t, gcs.Driver, backend.Settings{"bucket": bucket, "endpoint": server.Endpoint})
	o := put(t, b, "key", "1")
	require.NoError(t, b.Delete(t.Context(), "key", backend.DeleteOptions{IfMatch: o.Tag}))
	_, err = b.Stat(t.Context(), "key")
	require.ErrorIs(t, err, fs.ErrNotExist)
	u, err := b.(backend.PartUploader).UploadParts(t.Context(), "whole", backend.PartsOptions{PartSize: 10})
	require.NoError(t, err)
	part, err := u.Put(t.Context(), 1, backend.Bytes([]byte("x")))
	require.NoError(t, err)
	_, err = u.Complete(t.Context(), []backend.Part{part}, backend.Condition{})
	require.NoError(t, err)

	all := get(t, server.Endpoint+"/storage/v1/b/"+bucket+"/o?versions=true")
	require.Equal(t, 1, strings.Count(all, `"name":"key"`))
	require.NotContains(t, all, ".objrepl/")
}

func TestTheEnvironmentLeadsToNoOtherStore(t *testing.T) {
	t.Setenv("STORAGE_EMULATOR_HOST", drivertest.ClosedPort(t))
	put(t, fresh(t), "key", "1")
}
