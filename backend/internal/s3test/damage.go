package s3test

import (
	"bytes"
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/internal/drivertest"
	"github.com/objrepl/replication/internal/testutil"
)

// RefusesDamagedParts checks that a server refuses a part of which a byte was
// changed on its way: the checksum that goes with it says so.
func RefusesDamagedParts(t *testing.T, driver backend.Driver, server *testutil.Server) {
	proxy := testutil.CountingProxy(t, server.Endpoint)
	b := drivertest.Open(t, driver, drivertest.With(Settings(server, server.NewBucket(t)), "endpoint", proxy.URL))
	uploader, ok := backend.As[backend.PartUploader](b)
	require.True(t, ok)
	size := int64(5 << 20)
	u, err := uploader.UploadParts(t.Context(), "key", backend.PartsOptions{PartSize: size})
	require.NoError(t, err)
	defer func() { require.NoError(t, u.Abort(t.Context())) }()
	for _, length := range []int{1000, int(size)} { // in memory, and streamed
		data := bytes.Repeat([]byte("a"), length)
		proxy.Intercept(func(op string, w http.ResponseWriter, r *http.Request, next http.Handler) {
			if op == "UploadPart" {
				r.Body = &damaged{ReadCloser: r.Body}
			}
			next.ServeHTTP(w, r)
		})
		_, err = u.Put(t.Context(), 1, backend.Bytes(data))
		require.ErrorIs(t, err, backend.ErrChecksum, "%d bytes", length)
		require.True(t, backend.Retryable(err))
		parts, err := u.Parts(t.Context())
		require.NoError(t, err)
		require.Empty(t, parts)
		proxy.Intercept(nil)
	}
	_, err = u.Put(t.Context(), 1, backend.Bytes(bytes.Repeat([]byte("a"), int(size))))
	require.NoError(t, err)
}

// damaged changes the first byte "a" of a body, which is none of the framing's
// here.
type damaged struct {
	io.ReadCloser
	done bool
}

func (d *damaged) Read(p []byte) (int, error) {
	n, err := d.ReadCloser.Read(p)
	if i := bytes.Index(p[:n], []byte("aaaa")); i >= 0 && !d.done {
		p[i], d.done = 'b', true
	}
	return n, err
}
