package s3test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/internal/drivertest"
)

// NamesTheScheme wants an endpoint without the right http:// or https:// to be said
// to be one.
func NamesTheScheme(t *testing.T, driver backend.Driver) {
	settings := backend.Settings{"bucket": "data", "accessKey": "a", "secretKey": "b"}
	drivertest.RefusesPlainHTTP(t, driver, settings, "%s", "https://%s")
	for _, endpoint := range []string{"ftp://host", "local host:9000"} {
		err := driver.Schema().Validate(drivertest.With(settings, "endpoint", endpoint))
		require.ErrorContains(t, err, "write http://", endpoint)
		require.ErrorContains(t, err, "https://", endpoint)
	}
}
