package e2e

import (
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication"
	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/azure"
	"github.com/objrepl/replication/backend/gcs"
	"github.com/objrepl/replication/internal/testutil"
)

// refusing is a store that gives every request the same answer.
func refusing(t *testing.T, status int, header map[string]string, body string) string {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		for name, value := range header {
			w.Header().Set(name, value)
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// noCredentials leaves nothing of this machine's that a default chain may find,
// and nobody who answers where a cloud machine has its metadata.
func noCredentials(t *testing.T) {
	none := filepath.Join(t.TempDir(), "none")
	for name, value := range map[string]string{
		"HOME": none, "APPDATA": none, "PATH": none,
		"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_PROFILE": "", "AWS_CONFIG_FILE": none, "AWS_SHARED_CREDENTIALS_FILE": none,
		"AWS_WEB_IDENTITY_TOKEN_FILE": "", "AWS_CONTAINER_CREDENTIALS_FULL_URI": "", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "",
		"AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://127.0.0.1:1",
		"GOOGLE_APPLICATION_CREDENTIALS":    "", "CLOUDSDK_CONFIG": none, "GCE_METADATA_HOST": "127.0.0.1:1",
		"AZURE_CLIENT_ID": "", "AZURE_TENANT_ID": "", "AZURE_CLIENT_SECRET": "", "AZURE_FEDERATED_TOKEN_FILE": "", "AZURE_TOKEN_CREDENTIALS": "dev",
		"IDENTITY_ENDPOINT": "", "MSI_ENDPOINT": "",
	} {
		t.Setenv(name, value)
	}
}

// What a store refuses for good is told at once, whichever side it is on, and by
// the name of the policy.
func TestRefusalsOfEveryStoreNameThePolicyAndSayWhatToChange(t *testing.T) {
	minIO := testutil.MinIO(t, testutil.WithRegion("eu-west-1"))
	google, microsoft := testutil.SharedFakeGCS(t), testutil.SharedAzurite(t)
	const hidden = "aGlkZGVuIHNlY3JldA=="
	there := func(more ...string) map[string]string {
		s := bucket(minIO, minIO.NewBucket(t))
		for i := 0; i < len(more); i += 2 {
			s[more[i]] = more[i+1]
		}
		return s
	}
	blobs := func(more ...string) map[string]string {
		s := map[string]string{
			"containerName": microsoft.NewContainer(t), "accountName": microsoft.AccessKey, "accountKey": microsoft.SecretKey, "endpoint": microsoft.BlobEndpoint(),
		}
		for i := 0; i < len(more); i += 2 {
			s[more[i]] = more[i+1]
		}
		return s
	}
	expired := refusing(t, 400, nil, "<Error><Code>ExpiredToken</Code><Message>The provided token has expired.</Message></Error>")
	invalid := refusing(t, 401, map[string]string{"Content-Type": "application/json"}, `{"error": {"code": 401, "message": "Invalid Credentials"}}`)
	// A clock that is an hour off, as the vendors have it:
	// https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html and
	// https://learn.microsoft.com/en-us/rest/api/storageservices/authorize-with-shared-key,
	// the words of the latter from https://github.com/Azure/azure-sdk-for-js/issues/5433.
	skewed := refusing(t, 403, map[string]string{"Content-Type": "application/xml"},
		"<Error><Code>RequestTimeTooSkewed</Code><Message>The difference between the request time and the current time is too large.</Message>"+
			"<RequestTime>20261123T090000Z</RequestTime><ServerTime>2026-11-23T10:00:00Z</ServerTime><MaxAllowedSkewMilliseconds>900000</MaxAllowedSkewMilliseconds></Error>")
	late := refusing(t, 403, map[string]string{"Content-Type": "application/xml", "x-ms-error-code": "AuthenticationFailed"},
		"<?xml version=\"1.0\" encoding=\"utf-8\"?><Error><Code>AuthenticationFailed</Code><Message>Server failed to authenticate the request.\nTime:2026-11-23T10:00:00.0000000Z</Message>"+
			"<AuthenticationErrorDetail>Request date header too old: 'Mon, 23 Nov 2026 09:00:00 GMT'</AuthenticationErrorDetail></Error>")
	for _, c := range []struct {
		name, driver string
		settings     map[string]string
		class        error
		says         string
	}{
		{"region", "s3", there(), fs.ErrPermission, "set region to eu-west-1"},
		{"region", "minio", there(), fs.ErrPermission, "set region to eu-west-1"},
		{"expired token", "s3", there("endpoint", expired, "sessionToken", hidden), fs.ErrPermission, "renew the credentials or sessionToken"},
		{"clock", "s3", there("endpoint", skewed), fs.ErrPermission, "the clock of this machine or of the store is wrong"},
		{"clock", "minio", there("endpoint", skewed), fs.ErrPermission, "the clock of this machine or of the store is wrong"},
		{"no credentials", "s3", map[string]string{"bucket": "data", "region": "eu-west-1"}, fs.ErrPermission, "set accessKey and secretKey, or profile"},
		{"bucket", "gcs", map[string]string{"bucket": "no-such-bucket", "endpoint": google.Endpoint}, backend.ErrStoreNotFound, "check bucket"},
		{"expired token", "gcs", map[string]string{"bucket": "data", "endpoint": invalid}, fs.ErrPermission, "set credentialsFile, or renew"},
		{"no credentials", "gcs", map[string]string{"bucket": "data"}, fs.ErrPermission, "set credentialsFile"},
		{"container", "azblob", blobs("containerName", "no-such-container"), backend.ErrStoreNotFound, "check containerName"},
		{"key", "azblob", blobs("accountKey", hidden), fs.ErrPermission, "check accountKey"},
		{"clock", "azblob", blobs("endpoint", late+"/"+microsoft.AccessKey), fs.ErrPermission, "the clock of this machine is wrong"},
		{"expired signature", "azblob", blobs("accountKey", "", "sasToken", "sv=2025-11-05&sr=c&sp=rwdl&st=2020-01-01T00:00:00Z&se=2020-01-02T00:00:00Z&sig="+hidden), fs.ErrPermission, "sasToken and its expiry"},
		{"no credentials", "azblob", map[string]string{"containerName": "data", "accountName": "nobody"}, fs.ErrPermission, "set accountKey or sasToken, or sign in"},
		{"directory", "local", directory(filepath.Join(t.TempDir(), "gone", "further")), backend.ErrStoreNotFound, "missing"},
	} {
		t.Run(c.driver+" "+c.name, func(t *testing.T) {
			noCredentials(t)
			begin := time.Now()
			policy := upload(c.driver, files(t, 3), c.settings)
			from := replication.Policy{
				ID: "upload", SourceBackend: c.driver, SourceSettings: c.settings, DestinationBackend: "local", DestinationSettings: directory(t.TempDir()),
			}
			sides := map[string]replication.Policy{"source": from, "destination": policy}
			if c.driver == "local" {
				delete(sides, "destination") // it is made
			}
			for side, policy := range sides {
				r := replicator(t, replication.WithDrivers(gcs.Driver, azure.Driver))
				res, err := r.Sync(t.Context(), policy)
				require.ErrorIs(t, err, c.class)
				requireSays(t, err, nil, side, c.driver, c.says)
				require.NotContains(t, err.Error(), hidden)
				require.NotContains(t, err.Error(), "\n")
				require.Zero(t, res.Synced+res.Deleted)
				t.Log(time.Since(begin), err)
			}
		})
	}
}
