package main

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/internal/testutil"
)

// A server, or a proxy in front of one, that drops a condition on the way.
func TestProbeShowsAServerThatLies(t *testing.T) {
	srv := testutil.SharedFakeGCS(t)
	proxy := testutil.CountingProxy(t, srv.Endpoint)
	proxy.Intercept(func(_ string, w http.ResponseWriter, r *http.Request, next http.Handler) {
		if q := r.URL.Query(); q.Get("ifGenerationMatch") == "0" {
			q.Del("ifGenerationMatch")
			r.URL.RawQuery = q.Encode()
		}
		next.ServeHTTP(w, r)
	})
	url := "gs://" + srv.NewGCSBucket(t) + "/?endpoint=" + proxy.URL
	stdout, stderr, code := objstore(t, nil, "probe", url)
	// The one check is of what this server ignores without any proxy.
	require.Equal(t, 1, code, stderr)
	require.Regexp(t, `is not as declared: 1 of \d+ checks failed`, stderr)
	require.Regexp(t, `(?m)^put if-absent +varies +ignored`, stdout)
	require.Regexp(t, `(?m)^put if-match +varies +honoured`, stdout)
	require.Contains(t, stdout, "ignores the condition and cannot create conditionally: its")
}

// Credentials that may read alone.
func TestProbeNamesThePermissionThatIsMissing(t *testing.T) {
	srv := testutil.SharedMinIO(t)
	for method, permission := range map[string]string{"PUT": "s3:PutObject", "DELETE": "s3:DeleteObject"} {
		for _, driver := range []string{"s3", "minio"} {
			t.Run(driver+"/"+method, func(t *testing.T) {
				bucket := srv.NewBucket(t)
				proxy := testutil.CountingProxy(t, srv.Endpoint)
				proxy.Intercept(func(_ string, w http.ResponseWriter, r *http.Request, next http.Handler) {
					if r.Method != method {
						next.ServeHTTP(w, r)
						return
					}
					w.Header().Set("Content-Type", "application/xml")
					w.WriteHeader(http.StatusForbidden)
					if _, err := w.Write([]byte(`<Error><Code>AccessDenied</Code><Message>Access Denied.</Message></Error>`)); err != nil {
						t.Error(err)
					}
				})
				stdout, stderr, code := objstore(t, []string{"KEY=" + srv.AccessKey, "SECRET=" + srv.SecretKey}, "probe",
					driver+"://"+bucket+"/?endpoint="+proxy.URL+"&region=us-east-1&accessKey=env:KEY&secretKey=env:SECRET")
				require.Equal(t, 1, code)
				require.Empty(t, stdout)
				require.Contains(t, stderr, `backend "`+driver+`": the store refuses `+permission)
				require.NotContains(t, stderr, srv.SecretKey)
				require.LessOrEqual(t, len(leftInBucket(t, srv, bucket)), 1)
				if method == "DELETE" {
					require.Contains(t, stderr, "could not remove all under")
				}
			})
		}
	}
}
