package azure_test

import (
	"context"
	"maps"
	"net"
	"testing"

	"go.uber.org/goleak"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/azure"
	"github.com/objrepl/replication/backend/backendtest"
	"github.com/objrepl/replication/internal/testutil"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(testutil.Suite(m, testutil.ServerAzurite))
}

func TestKeepsTheContractOnAzurite(t *testing.T) {
	server := testutil.SharedAzurite(t)
	s := settings(server, server.NewContainer(t))
	backendtest.Test(t, opener(s), backendtest.Options{
		LargeSize:   17<<20 + 7, // three blocks
		Other:       opener(settings(server, server.NewContainer(t))),
		Expect:      quirks,
		Missing:     opener(with(s, "containerName", "test-no-such-container")),
		Unreachable: opener(with(s, "endpoint", "http://"+closedPort(t)+"/account")),
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

func opener(s backend.Settings) backendtest.Opener {
	return func(ctx context.Context) (backend.Backend, error) { return azure.Driver.Open(ctx, s) }
}

func settings(server *testutil.Server, container string) backend.Settings {
	return backend.Settings{
		"containerName": container, "endpoint": server.BlobEndpoint(),
		"accountName": server.AccessKey, "accountKey": server.SecretKey,
	}
}

func with(s backend.Settings, name, value string) backend.Settings {
	s = maps.Clone(s)
	s[name] = value
	return s
}

// closedPort returns an address that nobody listens at.
func closedPort(tb testing.TB) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

func open(tb testing.TB, s backend.Settings) backend.Backend {
	tb.Helper()
	b, err := azure.Driver.Open(tb.Context(), s)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := b.Close(); err != nil {
			tb.Error(err)
		}
	})
	return b
}
