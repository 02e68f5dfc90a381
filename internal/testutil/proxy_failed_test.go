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
	require.Equal(t, map[string]int{"GetObject": 2}, p.Counts())
	p.Reset()
	require.Empty(t, p.Failed())
	require.Empty(t, p.Counts())

	p.Intercept(func(_ string, w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		w.WriteHeader(http.StatusNotImplemented)
	})
	require.NoError(t, get("x"))
	require.Equal(t, map[string]int{"GetObject": 1}, p.Counts(), "a decision, however busy the server is")
	require.Empty(t, p.Failed())

	// One that came before a Reset and fails after it is in neither.
	came, fail := make(chan struct{}), make(chan struct{})
	p.Intercept(func(_ string, w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		close(came)
		<-fail
		w.WriteHeader(http.StatusServiceUnavailable)
	})
	done := make(chan error)
	go func() { done <- get("x") }()
	<-came
	p.Reset()
	p.Intercept(nil)
	close(fail)
	require.NoError(t, <-done)
	require.NoError(t, get("flat/object-000000000"))
	require.Equal(t, map[string]int{"GetObject": 1}, p.Counts())
	require.Empty(t, p.Failed())
}

// That a client has the answer of a request means that it is in the counts, or in
// Failed alone.
func TestTheProxyKnowsOfAFailureBeforeItsClient(t *testing.T) {
	s := NewSynthetic(t, 1, 100)
	p := CountingProxy(t, s.Endpoint)
	p.Intercept(func(_ string, w http.ResponseWriter, r *http.Request, _ http.Handler) {
		w.WriteHeader(http.StatusServiceUnavailable)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done() // the handler goes on
	})
	transport := newTransport()
	t.Cleanup(transport.CloseIdleConnections)
	res, err := (&http.Client{Transport: transport}).Get(p.URL + "/bucket/x")
	require.NoError(t, err)
	require.Empty(t, p.Counts())
	require.Equal(t, map[string]int{"GetObject": 1}, p.Failed())
	require.NoError(t, res.Body.Close())
}
