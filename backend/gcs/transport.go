package gcs

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
)

// A transport is where every request passes, with its own pool of connections.
type transport struct {
	pool   *http.Transport
	kmsKey string
}

func newTransport(kmsKey string) *transport {
	pool := http.DefaultTransport.(*http.Transport).Clone()
	pool.MaxIdleConns, pool.MaxIdleConnsPerHost = 256, 256
	return &transport{pool, kmsKey}
}

type onceKey struct{}

// once returns a context for the request of an object's bytes, and lets one
// pass. The SDK's reader sends another one whenever a body breaks, without pause
// or end; the engine's retries know both.
func once(ctx context.Context) context.Context {
	return context.WithValue(ctx, onceKey{}, new(atomic.Bool))
}

// RoundTrip implements http.RoundTripper. It adds what the SDK has no way to
// say: that bytes are to come as they are stored, also where they are encoded
// with gzip (https://cloud.google.com/storage/docs/transcoding), and the key of
// compositions (https://cloud.google.com/storage/docs/json_api/v1/objects/compose).
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if used, ok := r.Context().Value(onceKey{}).(*atomic.Bool); ok {
		if used.Swap(true) {
			return nil, fmt.Errorf("the connection broke amid the body: %w", io.ErrUnexpectedEOF)
		}
		r = r.Clone(r.Context())
		r.Header.Set("Accept-Encoding", "gzip")
	}
	if t.kmsKey != "" && r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/compose") {
		r = r.Clone(r.Context())
		query := r.URL.Query()
		query.Set("kmsKeyName", t.kmsKey)
		r.URL.RawQuery = query.Encode()
	}
	return t.pool.RoundTrip(r)
}
