package minio_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/internal/drivertest"
	"github.com/objrepl/replication/backend/minio"
)

func TestAnEndpointOfTheWrongSchemeIsSaidToBe(t *testing.T) {
	settings := backend.Settings{"bucket": "data", "accessKey": "a", "secretKey": "b"}
	drivertest.RefusesPlainHTTP(t, minio.Driver, settings, "%s", "https://%s")
	for _, endpoint := range []string{"ftp://host", "local host:9000"} {
		err := minio.Driver.Schema().Validate(drivertest.With(settings, "endpoint", endpoint))
		require.ErrorContains(t, err, "write http://", endpoint)
		require.ErrorContains(t, err, "https://", endpoint)
	}
}
