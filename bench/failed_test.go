//go:build unix

package bench

import (
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWhatTheServerFailsDoesNotCountAgainstTheClient(t *testing.T) {
	const files = 50
	b := newBench(t, "s3", files)
	var puts atomic.Int64
	b.proxy.Intercept(func(op string, w http.ResponseWriter, r *http.Request, next http.Handler) {
		if op == "PutObject" && puts.Add(1) <= 3 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		next.ServeHTTP(w, r)
	})
	checkFirst(t, b.sync(t), files)
	require.EqualValues(t, files+probePuts+3, puts.Load())
}
