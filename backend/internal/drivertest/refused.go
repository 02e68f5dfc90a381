package drivertest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
)

// Refused wants each operation to have failed for good and in one class. Every
// error names the driver and, of all but listings, the key "key"; it says what to
// change, on one line, and holds no secret.
func Refused(t *testing.T, failed map[string]error, driver backend.Driver, class error, hint string, secrets ...string) {
	t.Helper()
	require.NotEmpty(t, failed)
	for op, err := range failed {
		require.ErrorIs(t, err, class, op)
		require.True(t, backend.Definite(err) && !backend.Retryable(err), "%s: %v", op, err)
		var carrier *backend.Error
		require.ErrorAs(t, err, &carrier, op)
		require.Equal(t, driver.Name(), carrier.Backend, op)
		require.Contains(t, carrier.Hint, hint, "%s: %v", op, err)
		if op != "list" {
			require.Equal(t, "key", carrier.Key, op)
		}
		require.NotContains(t, err.Error(), "\n", op)
		for _, secret := range secrets {
			require.NotContains(t, err.Error(), secret, op)
		}
	}
}
