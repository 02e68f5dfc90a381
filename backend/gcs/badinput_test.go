package gcs_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/gcs"
	"github.com/objrepl/replication/backend/internal/drivertest"
)

func requireTold(t *testing.T, b backend.Backend, class error, hint string, secrets ...string) {
	t.Helper()
	drivertest.Refused(t, everyError(t.Context(), b), gcs.Driver, class, hint, secrets...)
}

// serviceAccount is a key in the form of a file, and its private part.
func serviceAccount(t *testing.T, tokens string) (file, private string) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	private = string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	data, err := json.Marshal(map[string]string{
		"type": "service_account", "client_email": "a@b.iam.gserviceaccount.com", "private_key_id": "1", "private_key": private,
		"token_uri": tokens, "project_id": "p",
	})
	require.NoError(t, err)
	return string(data), private
}

// tokenServer answers as Google's does
// (https://developers.google.com/identity/protocols/oauth2/service-account#error-codes):
// an assertion is refused whose times are not those of the server's clock, and
// every other one for the reason that it is given.
func tokenServer(t *testing.T, now time.Time, reason string) *httptest.Server {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		text := reason
		if parts := strings.Split(r.Form.Get("assertion"), "."); len(parts) == 3 {
			var claims struct{ Iat, Exp int64 }
			data, _ := base64.RawURLEncoding.DecodeString(parts[1])
			_ = json.Unmarshal(data, &claims)
			if off := now.Sub(time.Unix(claims.Iat, 0)); off > 10*time.Minute || off < -10*time.Minute {
				text = "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check your iat and exp values in the JWT claim."
			}
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(w, `{"error": "invalid_grant", "error_description": %q}`, text)
	}))
	server.Config.SetKeepAlivesEnabled(false) // no connection outlives a bubble
	server.Start()
	t.Cleanup(server.Close)
	return server
}

func TestAWrongKeyIsTold(t *testing.T) {
	tokens := tokenServer(t, time.Now(), "Invalid JWT Signature.")
	file, private := serviceAccount(t, tokens.URL)
	b := drivertest.Open(t, gcs.Driver, backend.Settings{"bucket": "bucket", "endpoint": tokens.URL, "credentialsFile": file})
	requireTold(t, b, fs.ErrPermission, "check credentialsFile", private[100:140])
	for _, err := range everyError(t.Context(), b) {
		require.ErrorContains(t, err, "Invalid JWT Signature")
	}
}

func TestAWrongClockIsTold(t *testing.T) {
	for _, off := range []time.Duration{-time.Hour, time.Hour} {
		now := time.Now()
		tokens := tokenServer(t, now, "never mind")
		file, _ := serviceAccount(t, tokens.URL)
		synctest.Test(t, func(t *testing.T) {
			time.Sleep(time.Until(now.Add(off)))
			b, err := gcs.Driver.Open(t.Context(), backend.Settings{"bucket": "bucket", "endpoint": tokens.URL, "credentialsFile": file})
			require.NoError(t, err)
			defer b.Close()
			_, err = b.Stat(t.Context(), "key")
			require.ErrorIs(t, err, fs.ErrPermission)
			require.ErrorContains(t, err, "reasonable timeframe")
			require.ErrorContains(t, err, "the clock of this machine")
		})
	}
}

// An access token that is over (https://cloud.google.com/storage/docs/json_api/v1/status-codes#401-unauthorized),
// and a login that was revoked
// (https://developers.google.com/identity/protocols/oauth2#expiration).
func TestExpiredCredentialsAreTold(t *testing.T) {
	b := answering(t, func(w http.ResponseWriter, _ *http.Request) { refuse(w, 401, "authError", "Invalid Credentials") })
	requireTold(t, b, fs.ErrPermission, "set credentialsFile, or renew the application default credentials")

	tokens := tokenServer(t, time.Now(), "Token has been expired or revoked.")
	file, _ := serviceAccount(t, tokens.URL)
	b = drivertest.Open(t, gcs.Driver, backend.Settings{"bucket": "bucket", "endpoint": tokens.URL, "credentialsFile": file})
	requireTold(t, b, fs.ErrPermission, "check credentialsFile")
	_, err := b.Stat(t.Context(), "key")
	require.ErrorContains(t, err, "Token has been expired or revoked")
}

// None of the places has credentials, and nobody answers where a cloud machine
// has its metadata.
func TestAbsentCredentialsAreToldSoon(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for a timeout")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close() // never accepts
	none := filepath.Join(t.TempDir(), "none")
	for name, value := range map[string]string{
		"GOOGLE_APPLICATION_CREDENTIALS": "", "HOME": none, "APPDATA": none, "CLOUDSDK_CONFIG": none, "GCE_METADATA_HOST": listener.Addr().String(),
	} {
		t.Setenv(name, value)
	}
	begin := time.Now()
	b, err := gcs.Driver.Open(t.Context(), backend.Settings{"bucket": "bucket"})
	require.NoError(t, err)
	defer b.Close()
	_, err = b.Stat(t.Context(), "key")
	require.ErrorIs(t, err, fs.ErrPermission)
	require.ErrorContains(t, err, `stat gcs "key": permission denied: no credentials`)
	require.ErrorContains(t, err, "set credentialsFile")
	require.NotErrorIs(t, err, context.DeadlineExceeded, "a timeout here is not the caller's")
	require.Less(t, time.Since(begin), 20*time.Second)
}

func TestAMissingBucketIsTold(t *testing.T) {
	b := answering(t, func(w http.ResponseWriter, _ *http.Request) {
		refuse(w, 404, "notFound", "The specified bucket does not exist.")
	})
	requireTold(t, b, backend.ErrStoreNotFound, "check bucket")
}

func TestAServerThatIsNotThereIsTold(t *testing.T) {
	b := drivertest.Open(t, gcs.Driver, backend.Settings{"bucket": "bucket", "endpoint": "http://" + drivertest.ClosedPort(t)})
	for op, err := range everyError(t.Context(), b) {
		require.ErrorIs(t, err, backend.ErrUnavailable, op)
		require.ErrorContains(t, err, "check the network and, if it is set, endpoint", op)
	}
}
