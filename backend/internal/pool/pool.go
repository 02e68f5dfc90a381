// Package pool has the connections that drivers of HTTP stores share the form of.
package pool

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
	// continueTimeout is how long a large body waits for leave to be sent by a
	// server that does not know Expect: 100-continue.
	continueTimeout = time.Second
	idleTimeout     = 90 * time.Second
	idlePerHost     = 256
	// A request of 4 KiB and its headers go out in one system call.
	writeBuffer = 16 << 10
	readBuffer  = 16 << 10
)

// A Pool is the connections of one backend. It sends each request once, adds no
// header of its own, follows no redirect, and never decompresses: bytes come as
// they are stored.
type Pool struct {
	transport *http.Transport
	closed    atomic.Bool
}

// New returns a pool that trusts what the TLS configuration says, or the system's
// certificates where it is nil. An answer has to begin within headers of the
// request's end. It speaks HTTP/1.1 alone: one stream a
// connection is what large bodies want, and small ones cost less CPU.
func New(config *tls.Config, headers time.Duration) *Pool {
	dialer := &net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second}
	return &Pool{transport: &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           dialer.DialContext,
		TLSClientConfig:       config,
		TLSHandshakeTimeout:   tlsTimeout,
		ResponseHeaderTimeout: headers,
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

// Do sends a request. An error of the connection is as it comes.
func (p *Pool) Do(req *http.Request) (*http.Response, error) {
	if p.closed.Load() {
		return nil, fmt.Errorf("backend is closed: %w", fs.ErrClosed)
	}
	return p.transport.RoundTrip(req)
}

// Close lets no further request through and closes the connections. One that
// is in use is closed when its reader is.
func (p *Pool) Close() {
	p.closed.Store(true)
	p.transport.CloseIdleConnections()
}

// Release follows the close of a reader: after close, its connection must not
// linger in the pool.
func (p *Pool) Release() {
	if p.closed.Load() {
		p.transport.CloseIdleConnections()
	}
}
