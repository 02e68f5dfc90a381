package azure_test

import (
	"fmt"
	"io/fs"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/sas"
	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/azure"
	"github.com/objrepl/replication/backend/internal/drivertest"
	"github.com/objrepl/replication/internal/testutil"
)

func requireTold(t *testing.T, b backend.Backend, class error, hint string, secrets ...string) {
	t.Helper()
	drivertest.Refused(t, everyError(t.Context(), b), azure.Driver, class, hint, secrets...)
}

func TestAnExpiredSignatureIsTold(t *testing.T) {
	server := testutil.SharedAzurite(t)
	name := server.NewContainer(t)
	begin := time.Now().Add(-2 * time.Hour)
	signed, err := sdk(t, server, name).GetSASURL(sas.ContainerPermissions{Read: true, Write: true, Create: true, Delete: true, List: true},
		time.Now().Add(-time.Hour), &container.GetSASURLOptions{StartTime: &begin})
	require.NoError(t, err)
	_, token, _ := strings.Cut(signed, "?")
	b := drivertest.Open(t, azure.Driver, backend.Settings{"containerName": name, "accountName": server.AccessKey, "endpoint": server.BlobEndpoint(), "sasToken": token})
	_, signature, _ := strings.Cut(token, "sig=")
	requireTold(t, b, fs.ErrPermission, "sasToken", signature)
}

func TestAWrongKeyIsTold(t *testing.T) {
	server := testutil.SharedAzurite(t)
	b := drivertest.Open(t, azure.Driver, drivertest.With(settings(server, server.NewContainer(t)), "accountKey", "d3Jvbmcga2V5"))
	requireTold(t, b, fs.ErrPermission, "accountKey", "d3Jvbmcga2V5")
}

func TestAMissingContainerIsTold(t *testing.T) {
	server := testutil.SharedAzurite(t)
	b := drivertest.Open(t, azure.Driver, drivertest.With(settings(server, server.NewContainer(t)), "containerName", "test-not-there"))
	requireTold(t, b, backend.ErrStoreNotFound, "check containerName")
}

// Azurite looks at no date, so these are the service's answers, of which that to
// a HEAD has no body.
func TestTimesThatAreOffAreTold(t *testing.T) {
	for detail, hint := range map[string]string{
		"Request date header too old: 'Mon, 01 Jan 2024 00:00:00 GMT'":                                                          "the clock of this machine is wrong",
		"Signature not valid in the specified time frame: Start [Mon, 01 Jan 2024] - Expiry [Tue, 02 Jan 2024] - Current [now]": "renew sasToken",
		"The MAC signature found in the HTTP request 'c2lnbmVk' is not the same as any computed signature":                      "check accountKey",
	} {
		f := newFake(t)
		f.answers(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Ms-Error-Code", "AuthenticationFailed")
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprintf(w, "<?xml version=\"1.0\"?><Error><Code>AuthenticationFailed</Code><Message>Server failed to authenticate the request.</Message>"+
				"<AuthenticationErrorDetail>%s</AuthenticationErrorDetail></Error>", detail)
		})
		for op, err := range f.every(t) {
			require.ErrorIs(t, err, fs.ErrPermission, op)
			require.NotContains(t, err.Error(), "c2lnbmVk", op)
			want := hint
			if op == "stat" {
				want = "and the clock"
			}
			require.ErrorContains(t, err, want, op)
		}
	}
}
