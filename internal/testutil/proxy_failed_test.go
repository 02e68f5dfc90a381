package testutil

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheProxyTellsFailedRequestsApart(t *testing.T) {
	s := NewSynthetic(t, 1, 100)
	p := CountingProxy(t, s.Endpoint)
	transport := newTransport()
	t.Cleanup(transport.CloseIdleConnections)
	client := &http.Client{Transport: transport}
	get := func(key string) error {
		res, err := client.Get(p.URL + "/bucket/" + key)
		if err == nil {
			err = res.Body.Close()
		}
		return err
	}
	require.NoError(t, get("flat/object-000000000"))
	require.NoError(t, get("absent"))
	require.Empty(t, p.Failed())

	p.Intercept(func(_ string, w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		w.WriteHeader(http.StatusServiceUnavailable)
	})
	require.NoError(t, get("x"))
	p.Intercept(func(string, http.ResponseWriter, *http.Request, http.Handler) { panic(http.ErrAbortHandler) })
	require.Error(t, get("x"))
	// A client may ask again by itself where a connection broke.
	require.GreaterOrEqual(t, p.Failed()["GetObject"], 2)
	require.Equal(t, 2, p.Counts()["GetObject"]-p.Failed()["GetObject"])
	p.Reset()
	require.Empty(t, p.Failed())
}
