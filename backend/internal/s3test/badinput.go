package s3test

import (
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/internal/testutil"
)

// RequireTold wants every operation refused, each error to name the driver and
// the key that it was about, to say what to change, and to hold no secret.
func RequireTold(t *testing.T, b backend.Backend, s backend.Settings, driver backend.Driver, hint string) {
	t.Helper()
	for op, err := range everyError(t.Context(), b) {
		require.ErrorIs(t, err, fs.ErrPermission, op)
		require.True(t, backend.Definite(err) && !backend.Retryable(err), "%s: %v", op, err)
		require.ErrorContains(t, err, op+" "+driver.Name(), op)
		require.ErrorContains(t, err, hint, op)
		if op != "list" {
			require.ErrorContains(t, err, `"key"`, op)
		}
		for _, secret := range []string{"secretKey", "sessionToken"} {
			if s[secret] != "" {
				require.NotContains(t, err.Error(), s[secret], op)
			}
		}
	}
}

// TellsAWrongClock signs requests an hour ago and an hour from now, which a real
// server refuses: time in a bubble stands still until somebody sleeps, and what
// is on its way to the server is no sleep.
func TellsAWrongClock(t *testing.T, driver backend.Driver, server *testutil.Server) {
	s := Settings(server, server.NewBucket(t))
	for _, off := range []time.Duration{-time.Hour, time.Hour} {
		now := time.Now()
		synctest.Test(t, func(t *testing.T) {
			time.Sleep(time.Until(now.Add(off)))
			RequireTold(t, Open(t, driver, s), s, driver, "the clock of this machine or of the store is wrong")
		})
	}
}

// TellsAWrongRegion asks a server of another region than the settings name.
func TellsAWrongRegion(t *testing.T, driver backend.Driver) {
	server := testutil.MinIO(t, testutil.WithRegion("eu-west-1"))
	s := With(Settings(server, server.NewBucket(t)), "region", "us-east-1")
	RequireTold(t, Open(t, driver, s), s, driver, "set region to eu-west-1")
}

// TellsExpiredCredentials answers what S3 does to a session token that is over
// (https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html).
func TellsExpiredCredentials(t *testing.T, driver backend.Driver, s backend.Settings) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, "<Error><Code>ExpiredToken</Code><Message>The provided token has expired.</Message></Error>")
	}))
	defer server.Close()
	s["bucket"], s["endpoint"] = "bucket", server.URL
	RequireTold(t, Open(t, driver, s), s, driver, "renew the credentials")
}
