package azure

import (
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

const (
	dialTimeout = 10 * time.Second
	tlsTimeout  = 10 * time.Second
	// headerTimeout begins when the request's body has been sent: a server-side
	// copy answers when it is done.
	headerTimeout = 5 * time.Minute
	idleTimeout   = 90 * time.Second
	idlePerHost   = 256
)

// A pool is the connections of one backend. It follows no redirect and never
// decompresses: bytes come as they are stored.
type pool struct {
	transport *http.Transport
	closed    atomic.Bool
}

func newPool() *pool {
	dialer := &net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second}
	return &pool{transport: &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           dialer.DialContext,
		TLSHandshakeTimeout:   tlsTimeout,
		ResponseHeaderTimeout: headerTimeout,
		ExpectContinueTimeout: time.Second,
		IdleConnTimeout:       idleTimeout,
		MaxIdleConnsPerHost:   idlePerHost,
		DisableCompression:    true,
	}}
}

// Do implements policy.Transporter.
func (p *pool) Do(r *http.Request) (*http.Response, error) {
	if p.closed.Load() {
		return nil, fmt.Errorf("backend is closed: %w", fs.ErrClosed)
	}
	return p.transport.RoundTrip(r)
}

// close lets no further request through and closes the connections. One that
// is in use is closed when its reader is.
func (p *pool) close() {
	p.closed.Store(true)
	p.transport.CloseIdleConnections()
}

// release follows the close of a reader: after close, its connection must not
// linger in the pool.
func (p *pool) release() {
	if p.closed.Load() {
		p.transport.CloseIdleConnections()
	}
}
