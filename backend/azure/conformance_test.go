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
		Missing:     drivertest.Opener(azure.Driver, drivertest.With(s, "containerName", "test-no-such-container")),
		Unreachable: drivertest.Opener(azure.Driver, drivertest.With(s, "endpoint", "http://"+drivertest.ClosedPort(t)+"/account")),
	})
}

func settings(server *testutil.Server, container string) backend.Settings {
	return backend.Settings{
		"containerName": container, "endpoint": server.BlobEndpoint(),
		"accountName": server.AccessKey, "accountKey": server.SecretKey,
	}
}
