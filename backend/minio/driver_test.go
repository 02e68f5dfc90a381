package minio_test

import (
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/internal/drivertest"
	"github.com/objrepl/replication/backend/minio"
)

func TestFaultySettingsAreNamed(t *testing.T) {
	_, err := minio.Driver.Open(t.Context(), backend.Settings{"endpoint": "ftp://host", "caFile": "/no/such/file"})
	for _, name := range []string{"bucket", "accessKey", "secretKey", "endpoint", "caFile"} {
		require.ErrorContains(t, err, name)
	}
	shown := minio.Driver.Schema().Redact(map[string]string{"accessKey": "id", "secretKey": "x"})
	require.Equal(t, map[string]string{"accessKey": "id", "secretKey": backend.Redacted}, shown)
}

func TestCAFileIsTrusted(t *testing.T) {
	var got *http.Request
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("ETag", `"x"`)
	}))
	defer server.Close()
	settings := backend.Settings{"bucket": "data", "accessKey": "a", "secretKey": "b", "endpoint": strings.TrimPrefix(server.URL, "https://")}
	put := func() error {
		_, err := drivertest.Open(t, minio.Driver, settings).Put(t.Context(), "key", backend.Bytes([]byte("x")), backend.PutOptions{})
		return err
	}
	require.ErrorIs(t, put(), backend.ErrUnavailable, "a bare host:port means https")

	file := filepath.Join(t.TempDir(), "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	require.NoError(t, os.WriteFile(file, block, 0o600))
	settings["caFile"] = file
	require.NoError(t, put())
	require.Equal(t, "/data/key", got.RequestURI)
	require.Equal(t, "UNSIGNED-PAYLOAD", got.Header.Get("X-Amz-Content-Sha256"))
	require.NotEmpty(t, got.Header.Get("X-Amz-Checksum-Crc32c"))

	require.NoError(t, os.WriteFile(file, []byte("nothing"), 0o600))
	_, err := minio.Driver.Open(t.Context(), settings)
	require.ErrorContains(t, err, "caFile")
}
