package drivertest

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
)

// RefusesPlainHTTP checks what a driver says at once of a server that speaks http
// alone, where its endpoint, in the given forms of a host and port, means https.
func RefusesPlainHTTP(t *testing.T, d backend.Driver, s backend.Settings, forms ...string) {
	t.Helper()
	asked := make(chan struct{}, 100)
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked <- struct{}{} }))
	t.Cleanup(server.Close)
	for _, form := range forms {
		b := Open(t, d, With(s, "endpoint", fmt.Sprintf(form, strings.TrimPrefix(server.URL, "http://"))))
		_, err := b.Stat(t.Context(), "key")
		require.ErrorIs(t, err, backend.ErrStoreNotFound, form)
		require.False(t, backend.Retryable(err), "waiting does not help")
		require.ErrorContains(t, err, "; write endpoint with http:// in front", form)
	}
	require.Empty(t, asked)
}
