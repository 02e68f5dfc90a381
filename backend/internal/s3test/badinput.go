package s3test

import (
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/internal/drivertest"
	"github.com/objrepl/replication/internal/testutil"
)

// Told is [refused.Told] of every operation, on settings whose secrets it knows.
func Told(t *testing.T, driver backend.Driver, s backend.Settings, hint string) {
	t.Helper()
	var secrets []string
	for _, name := range []string{"secretKey", "sessionToken"} {
		if s[name] != "" {
			secrets = append(secrets, s[name])
		}
	}
	drivertest.Refused(t, everyError(t.Context(), drivertest.Open(t, driver, s)), driver, fs.ErrPermission, hint, secrets...)
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
			Told(t, driver, s, "the clock of this machine or of the store is wrong")
		})
	}
}

// TellsAWrongRegion asks a server of another region than the settings name.
func TellsAWrongRegion(t *testing.T, driver backend.Driver) {
	server := testutil.MinIO(t, testutil.WithRegion("eu-west-1"))
	s := drivertest.With(Settings(server, server.NewBucket(t)), "region", "us-east-1")
	Told(t, driver, s, "set region to eu-west-1")
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
	Told(t, driver, s, "renew the credentials")
}
