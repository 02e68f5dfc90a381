package azure_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/azure"
	"github.com/objrepl/replication/backend/backendtest"
	"github.com/objrepl/replication/backend/internal/drivertest"
	"github.com/objrepl/replication/internal/testutil"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(testutil.Suite(m, testutil.ServerAzurite))
}

func TestKeepsTheContractOnAzurite(t *testing.T) {
	server := testutil.SharedAzurite(t)
	s := settings(server, server.NewContainer(t))
	backendtest.Test(t, drivertest.Opener(azure.Driver, s), backendtest.Options{
		LargeSize:   17<<20 + 7, // three blocks
		Other:       drivertest.Opener(azure.Driver, settings(server, server.NewContainer(t))),
		Expect:      quirks,
		Missing:     drivertest.Opener(azure.Driver, drivertest.With(s, "containerName", "test-no-such-container")),
		Unreachable: drivertest.Opener(azure.Driver, drivertest.With(s, "endpoint", "http://"+drivertest.ClosedPort(t)+"/account")),
	})
}

// quirks are what Azurite does otherwise than the service, or the service than
// the contract has it.
var quirks = []backendtest.Deviation{
	{
		Check:  "parts-if-absent",
		Source: "https://learn.microsoft.com/en-us/rest/api/storageservices/put-block-list: whoever writes an object discards the uncommitted blocks of it, so that no upload of it survives (the service at Put Blob, Azurite at Delete Blob); Complete says so, see TestUploadsEndWhereSomebodyElseWrites",
	},
}

func settings(server *testutil.Server, container string) backend.Settings {
	return backend.Settings{
		"containerName": container, "endpoint": server.BlobEndpoint(),
		"accountName": server.AccessKey, "accountKey": server.SecretKey,
	}
}
