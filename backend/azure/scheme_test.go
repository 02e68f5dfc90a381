package azure_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/azure"
	"github.com/objrepl/replication/backend/internal/drivertest"
)

func TestAnEndpointOfTheWrongSchemeIsSaidToBe(t *testing.T) {
	settings := backend.Settings{"containerName": "data", "accountName": "account", "sasToken": "sig=x"}
	drivertest.RefusesPlainHTTP(t, azure.Driver, settings, "https://%s/account")
	for _, endpoint := range []string{"localhost:10000/account", "127.0.0.1:10000/account", "host.example/account", "ftp://host"} {
		err := azure.Driver.Schema().Validate(drivertest.With(settings, "endpoint", endpoint))
		require.ErrorContains(t, err, "write http://", endpoint)
		require.ErrorContains(t, err, "https://", endpoint)
	}
}
