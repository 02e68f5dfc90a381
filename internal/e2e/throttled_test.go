package e2e

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication"
	"github.com/objrepl/replication/backend/azure"
	"github.com/objrepl/replication/backend/gcs"
	"github.com/objrepl/replication/internal/testutil"
)

// throttleOnce has a proxy refuse each request once, as a store does that is asked
// too much, and returns how often it did.
func throttleOnce(proxy *testutil.Proxy, status int, header map[string]string, body string) func() int {
	var mu sync.Mutex
	asked := map[string]bool{}
	proxy.Intercept(func(_ string, w http.ResponseWriter, r *http.Request, next http.Handler) {
		mu.Lock()
		again := asked[r.Method+r.URL.Path+r.URL.RawQuery]
		asked[r.Method+r.URL.Path+r.URL.RawQuery] = true
		mu.Unlock()
		if again {
			next.ServeHTTP(w, r)
			return
		}
		_, _ = io.Copy(io.Discard, r.Body)
		for name, value := range header {
			w.Header().Set(name, value)
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	})
	return func() int {
		mu.Lock()
		defer mu.Unlock()
		return len(asked)
	}
}

// Each store in its own words: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html,
// https://cloud.google.com/storage/docs/json_api/v1/status-codes#429-too-many-requests,
// https://learn.microsoft.com/en-us/rest/api/storageservices/blob-service-error-codes.
func TestAStoreThatThrottlesFailsNothing(t *testing.T) {
	xml := map[string]string{"Content-Type": "application/xml"}
	for _, c := range []struct {
		driver string
		open   func(t *testing.T) (settings map[string]string, proxy *testutil.Proxy)
		status int
		header map[string]string
		body   string
	}{
		{"s3", throughProxy, 503, xml, "<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"},
		{"minio", throughProxy, 429, map[string]string{"Retry-After": "0"}, "<Error><Code>TooManyRequests</Code><Message>Please reduce your request rate</Message></Error>"},
		{"gcs", func(t *testing.T) (map[string]string, *testutil.Proxy) {
			settings := gcsBucket(t, testutil.SharedFakeGCS(t))
			proxy := testutil.CountingProxy(t, settings["endpoint"])
			settings["endpoint"] = proxy.URL
			return settings, proxy
		}, 429, map[string]string{"Content-Type": "application/json"}, `{"error": {"code": 429, "message": "slower", "errors": [{"reason": "rateLimitExceeded"}]}}`},
		{"azblob", azureContainer, 503, map[string]string{"X-Ms-Error-Code": "ServerBusy", "Retry-After": "0"}, "<Error><Code>ServerBusy</Code><Message>Egress is over the account limit.</Message></Error>"},
	} {
		t.Run(c.driver, func(t *testing.T) {
			settings, proxy := c.open(t)
			source := files(t, 5)
			r := replicator(t, replication.WithDrivers(gcs.Driver, azure.Driver))
			policy := upload(c.driver, source, settings)
			policy.MaxDelete = "off"
			throttled := throttleOnce(proxy, c.status, c.header, c.body)
			res, err := r.Sync(t.Context(), policy)
			require.NoError(t, err)
			require.EqualValues(t, 5, res.Synced)
			require.NoError(t, os.Remove(filepath.Join(source, "0001.txt")))
			res, err = r.Sync(t.Context(), policy)
			require.NoError(t, err)
			require.EqualValues(t, 1, res.Deleted)
			require.Zero(t, res.Failed)
			require.GreaterOrEqual(t, throttled(), 3)
			_, err = r.VerifyOf(t.Context(), policy, replication.ReadAll())
			require.NoError(t, err)
		})
	}
}

// throughProxy returns the settings of a fresh bucket in MinIO, and the proxy that
// they lead through.
func throughProxy(t *testing.T) (map[string]string, *testutil.Proxy) {
	server := testutil.SharedMinIO(t)
	proxy := testutil.CountingProxy(t, server.Endpoint)
	settings := bucket(server, server.NewBucket(t))
	settings["endpoint"] = proxy.URL
	return settings, proxy
}
