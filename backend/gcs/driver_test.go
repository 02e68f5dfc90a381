package gcs_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/gcs"
	"github.com/objrepl/replication/backend/internal/drivertest"
)

func TestFaultySettingsAreNamed(t *testing.T) {
	schema := gcs.Driver.Schema()
	for name, value := range map[string]string{
		"bucket": "a/b", "endpoint": "ftp://host", "kms_key_name": "key",
	} {
		require.ErrorContains(t, schema.Validate(map[string]string{"bucket": "b", name: value}), name)
	}
	require.ErrorContains(t, schema.Validate(map[string]string{"bucket": "..", "endpoint": "http://host/path"}), "endpoint")
	require.NoError(t, schema.Validate(map[string]string{"bucket": "my-bucket_1.example", "endpoint": "host:1", "kms_key_name": testKey}))
	_, err := gcs.Driver.Open(t.Context(), backend.Settings{})
	require.ErrorContains(t, err, `missing setting "bucket"`)
}

func TestBucketsHaveOneLocation(t *testing.T) {
	for endpoint, want := range map[string]string{
		"http://LOCALHOST:4443":          "gs://localhost:4443/data",
		"https://storage.googleapis.com": "gs://data",
		"storage.googleapis.com":         "gs://data",
	} {
		b := drivertest.Open(t, gcs.Driver, backend.Settings{"bucket": "data", "endpoint": endpoint})
		require.Equal(t, want, b.Properties().Location)
		require.Equal(t, want, fmt.Sprintf("%v", b))
		require.True(t, b.Properties().Varies, "whose server it is, nobody knows")
	}
}

// key returns a service account's key whose tokens come from a URL.
func key(t *testing.T, tokens string) string {
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	data, err := json.Marshal(map[string]string{
		"type": "service_account", "client_email": "a@b", "private_key_id": "1", "token_uri": tokens,
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
	})
	require.NoError(t, err)
	return string(data)
}

func TestCredentialsComeFromTheFile(t *testing.T) {
	var status atomic.Int32
	tokens := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(int(status.Load()))
		_, _ = io.WriteString(w, `{"access_token": "token-1", "token_type": "Bearer", "expires_in": 3600, "error": "invalid_grant"}`)
	}))
	defer tokens.Close()
	var authorization atomic.Value
	store := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		authorization.Store(r.Header.Get("Authorization"))
		_, _ = io.WriteString(w, `{"name": "key", "generation": "5"}`)
	}))
	defer store.Close()
	secret := key(t, tokens.URL)
	file := filepath.Join(t.TempDir(), "key.json")
	require.NoError(t, os.WriteFile(file, []byte(secret), 0o600))
	settings := backend.Settings{"bucket": "data", "endpoint": store.URL}
	for _, value := range []string{file, secret} {
		status.Store(200)
		_, err := drivertest.Open(t, gcs.Driver, drivertest.With(settings, "credentialsFile", value)).Stat(t.Context(), "key")
		require.NoError(t, err)
		require.Equal(t, "Bearer token-1", authorization.Load())

		status.Store(400)
		_, err = drivertest.Open(t, gcs.Driver, drivertest.With(settings, "credentialsFile", value)).Stat(t.Context(), "key")
		require.ErrorIs(t, err, fs.ErrPermission)
		require.ErrorContains(t, err, "credentialsFile")
	}
	_, err := drivertest.Open(t, gcs.Driver, settings).Stat(t.Context(), "key")
	require.NoError(t, err)
	require.Empty(t, authorization.Load(), "an emulator gets none")
}

func TestSecretsAreNeverShown(t *testing.T) {
	const secret = "verySecretIndeed"
	for _, value := range []string{
		`{"type": "service_account", "private_key": "` + secret + `"}`, `{"` + secret, secret, `{"type": "` + "x" + `", "k": "` + secret + `"}`,
	} {
		_, err := gcs.Driver.Open(t.Context(), backend.Settings{"bucket": "b", "credentialsFile": value})
		if err == nil {
			continue // found out by the first request
		}
		require.NotContains(t, err.Error(), secret)
		require.ErrorContains(t, err, "credentialsFile")
	}
	shown := gcs.Driver.Schema().Redact(map[string]string{"credentialsFile": secret})
	require.Equal(t, backend.Redacted, shown["credentialsFile"])
}

// The URL of an upload is all that somebody needs to write to it.
func TestURLsOfUploadsAreNotShown(t *testing.T) {
	var address string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if r.URL.Query().Has("upload_id") {
			panic(http.ErrAbortHandler)
		}
		w.Header().Set("Location", address+"/upload/storage/v1/b/b/o?upload_id=verySecret")
	}))
	defer server.Close()
	address = server.URL
	b := drivertest.Open(t, gcs.Driver, backend.Settings{"bucket": "b", "endpoint": server.URL})
	_, err := b.Put(t.Context(), "key", backend.Bytes(make([]byte, 9<<20)), backend.PutOptions{})
	require.ErrorIs(t, err, backend.ErrUnavailable)
	require.NotContains(t, err.Error(), "verySecret")
	require.False(t, strings.Contains(fmt.Sprintf("%+v %#v", err, err), "verySecret"))
}
