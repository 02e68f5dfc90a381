package s3_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/internal/drivertest"
	"github.com/objrepl/replication/backend/s3"
)

func TestAnEndpointOfTheWrongSchemeIsSaidToBe(t *testing.T) {
	settings := backend.Settings{"bucket": "data", "accessKey": "a", "secretKey": "b"}
	drivertest.RefusesPlainHTTP(t, s3.Driver, settings, "%s", "https://%s")
	for _, endpoint := range []string{"ftp://host", "local host:9000"} {
		err := s3.Driver.Schema().Validate(drivertest.With(settings, "endpoint", endpoint))
		require.ErrorContains(t, err, "write http://", endpoint)
		require.ErrorContains(t, err, "https://", endpoint)
	}
}
