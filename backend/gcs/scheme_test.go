package gcs_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/gcs"
	"github.com/objrepl/replication/backend/internal/drivertest"
)

func TestAnEndpointOfTheWrongSchemeIsSaidToBe(t *testing.T) {
	settings := backend.Settings{"bucket": "data"}
	drivertest.RefusesPlainHTTP(t, gcs.Driver, settings, "%s", "https://%s")
	for _, endpoint := range []string{"ftp://host", "local host:4443"} {
		err := gcs.Driver.Schema().Validate(drivertest.With(settings, "endpoint", endpoint))
		require.ErrorContains(t, err, "write http://", endpoint)
		require.ErrorContains(t, err, "https://", endpoint)
	}
}
