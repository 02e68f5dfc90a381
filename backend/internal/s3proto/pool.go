package s3proto

import (
	"crypto/tls"
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
	// headerTimeout begins when the request's body has been sent: a store
	// takes its time to commit gigabytes.
	headerTimeout = 2 * time.Minute
	// continueTimeout is how long a large body waits for leave to be sent by a
	// server that does not know Expect: 100-continue.
	continueTimeout = time.Second
	idleTimeout     = 90 * time.Second
	idlePerHost     = 256
	// A request of 4 KiB and its headers go out in one system call.
	writeBuffer = 16 << 10
	readBuffer  = 16 << 10
)

// A pool is the connections of one backend. It sends each request once, adds no
// header of its own, follows no redirect, and never decompresses: bytes come as
// they are stored.
type pool struct {
	transport *http.Transport
	closed    atomic.Bool
}

// newPool returns a pool that trusts what the TLS configuration says, or the
// system's certificates where it is nil. It speaks HTTP/1.1 alone: one stream a
// connection is what large bodies want, and small ones cost less CPU.
func newPool(config *tls.Config) *pool {
	dialer := &net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second}
	return &pool{transport: &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           dialer.DialContext,
		TLSClientConfig:       config,
		TLSHandshakeTimeout:   tlsTimeout,
		ResponseHeaderTimeout: headerTimeout,
		ExpectContinueTimeout: continueTimeout,
		IdleConnTimeout:       idleTimeout,
		MaxIdleConns:          0, // no bound but the one per host
		MaxIdleConnsPerHost:   idlePerHost,
		DisableCompression:    true,
		WriteBufferSize:       writeBuffer,
		ReadBufferSize:        readBuffer,
		TLSNextProto:          map[string]func(string, *tls.Conn) http.RoundTripper{},
	}}
}

// roundTrip sends a request. An error of the connection is as it comes.
func (p *pool) roundTrip(req *http.Request) (*http.Response, error) {
	if p.closed.Load() {
		return nil, fmt.Errorf("backend is closed: %w", fs.ErrClosed)
	}
	return p.transport.RoundTrip(req)
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
