package testutil

import (
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
)

// askAll sends 400 different requests, half of them with a body, and returns
// what became of each at the client, and what reached the server whole.
func askAll(t *testing.T, seed uint64, workers int) (results map[string]string, faults *Faults, arrived *sync.Map) {
	t.Helper()
	body := strings.Repeat("x", 10_000)
	arrived = new(sync.Map)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got, err := io.ReadAll(r.Body)
		if err == nil {
			arrived.Store(r.URL.Path, len(got))
		}
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(server.Close)
	proxy := CountingProxy(t, server.URL)
	faults = NewFaults(seed)
	proxy.Intercept(faults.Intercept)
	transport := newTransport()
	// On a connection that was used before, a GET that breaks is sent anew by
	// the transport itself.
	transport.DisableKeepAlives = true

	results = map[string]string{}
	var mu sync.Mutex
	var wait sync.WaitGroup
	names := make(chan string)
	for range workers {
		wait.Go(func() {
			for path := range names {
				method, content := http.MethodGet, io.Reader(nil)
				if strings.HasSuffix(path, "0") {
					method, content = http.MethodPut, strings.NewReader(body)
				}
				req, err := http.NewRequestWithContext(t.Context(), method, proxy.URL+path, content)
				if err != nil {
					panic(err)
				}
				result := "no answer"
				if res, err := transport.RoundTrip(req); err == nil {
					got, err := io.ReadAll(res.Body)
					res.Body.Close()
					result = res.Status
					if err != nil {
						result = "cut answer"
					} else if res.StatusCode == http.StatusOK && len(got) != len(body) {
						result = "short answer that looks whole"
					}
				}
				mu.Lock()
				results[path] = result
				mu.Unlock()
			}
		})
	}
	for i := range 400 {
		names <- "/bucket/" + strings.Repeat("k", i/2) + string(rune('0'+i%2))
	}
	close(names)
	wait.Wait()
	return results, faults, arrived
}

func TestFaultsDependOnTheSeedAloneAndAllHappen(t *testing.T) {
	results, faults, arrived := askAll(t, 1, 8)
	made := faults.Made()
	for _, f := range []Fault{FaultSlowDown, FaultCut, FaultLost, FaultReset, FaultSlow} {
		assert.Positive(t, made[f], f)
	}
	count := map[string]int{}
	lost := 0
	for path, result := range results {
		count[result]++
		n, whole := arrived.Load(path)
		if result == "no answer" && whole {
			lost++
		}
		if whole && strings.HasSuffix(path, "0") {
			assert.Equal(t, 10_000, n, "a request that was cut is never taken for a whole one")
		}
	}
	assert.Zero(t, count["short answer that looks whole"])
	assert.Positive(t, count["cut answer"])
	assert.Positive(t, lost, "the server did what was asked, and nobody heard of it")
	assert.Equal(t, made[FaultSlowDown], count["503 Service Unavailable"])

	same, _, _ := askAll(t, 1, 2)
	assert.Equal(t, results, same)
	_, other, _ := askAll(t, 2, 8)
	assert.False(t, maps.Equal(made, other.Made()))
}
