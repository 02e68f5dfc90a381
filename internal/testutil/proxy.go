package testutil

import (
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const (
	requestLogLines = 1000
	copyBufferSize  = 64 << 10
)

// Proxy is an HTTP proxy in front of an S3 endpoint that counts what passes, by
// S3 operation, and can interfere. A client is given URL for its endpoint. The
// Host header passes as the client sent it, so signatures hold; bodies are
// streamed. Where the server cannot be reached or breaks off, the client's
// connection breaks off too: a proxy's own 502 is nothing a store would send.
type Proxy struct {
	URL string // http://127.0.0.1:port

	forward   http.Handler
	intercept atomic.Pointer[Interceptor]

	mu     sync.Mutex
	counts map[string]int // guarded by mu
	failed map[string]int // guarded by mu; of those in counts
	round  int            // guarded by mu; grows with every Reset
	log    []*logEntry    // guarded by mu; a ring once full
	oldest int            // guarded by mu; index of the oldest entry of a full ring
	closed bool           // guarded by mu

	handlers sync.WaitGroup // grows under mu, and only until closed
}

// Interceptor is asked for every request of the S3 operation op, counted already.
// It may let the request pass with next.ServeHTTP(w, r), answer in the server's
// place, pass the request and lose the answer (give next another ResponseWriter),
// change either, or break the connection with panic(http.ErrAbortHandler). It is
// called concurrently, and ends when r's context does: the proxy waits for it.
type Interceptor func(op string, w http.ResponseWriter, r *http.Request, next http.Handler)

type logEntry struct {
	op, method, uri string
	round           int          // set before anybody else has the entry
	status          atomic.Int32 // 0 until headers have been sent
}

// CountingProxy starts a proxy in front of target, such as [Server.Endpoint],
// for the length of the test.
func CountingProxy(tb testing.TB, target string) *Proxy {
	tb.Helper()
	u, err := url.Parse(target)
	if err != nil {
		tb.Fatalf("counting proxy: %v", err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatalf("counting proxy: %v", err)
	}
	transport := newTransport()
	p := &Proxy{
		URL:     "http://" + l.Addr().String(),
		forward: newForwarder(u, transport),
		counts:  make(map[string]int),
		failed:  make(map[string]int),
	}
	quiet := log.New(io.Discard, "", 0)
	server := &http.Server{Handler: http.HandlerFunc(p.serve), ErrorLog: quiet}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	tb.Cleanup(func() {
		p.mu.Lock()
		p.closed = true
		p.mu.Unlock()
		_ = server.Close()
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			tb.Errorf("counting proxy: %v", err)
		}
		p.handlers.Wait()
		transport.CloseIdleConnections()
	})
	return p
}

func newForwarder(target *url.URL, transport http.RoundTripper) http.Handler {
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme = target.Scheme
			r.Out.URL.Host = target.Host
			r.Out.Host = r.In.Host // what the client signed
		},
		Transport:    transport,
		BufferPool:   &bufferPool{},
		ErrorLog:     log.New(io.Discard, "", 0),
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
}

// newTransport returns a transport that keeps a connection for every concurrent
// request and alters nothing that passes.
func newTransport() *http.Transport {
	return &http.Transport{
		MaxIdleConnsPerHost: 1024,
		IdleConnTimeout:     time.Minute,
		DisableCompression:  true,
		// A refusal that comes instead of "100 Continue" spares the client the body.
		ExpectContinueTimeout: time.Second,
		ReadBufferSize:        copyBufferSize,
		WriteBufferSize:       copyBufferSize,
	}
}

func (p *Proxy) serve(w http.ResponseWriter, r *http.Request) {
	op := Operation(r)
	entry := &logEntry{op: op, method: r.Method, uri: r.RequestURI}
	if !p.begin(entry) {
		panic(http.ErrAbortHandler)
	}
	defer p.end(entry)
	w = &statusWriter{ResponseWriter: w, entry: entry, failed: p.fail}
	if f := p.intercept.Load(); f != nil {
		(*f)(op, w, r, p.forward)
		return
	}
	p.forward.ServeHTTP(w, r)
}

// begin counts and logs a request and adds it to p.handlers, unless the proxy is
// closed.
func (p *Proxy) begin(e *logEntry) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	p.handlers.Add(1)
	p.counts[e.op]++
	e.round = p.round
	if len(p.log) < requestLogLines {
		p.log = append(p.log, e)
		return true
	}
	p.log[p.oldest] = e
	p.oldest = (p.oldest + 1) % requestLogLines
	return true
}

// end counts a request without an answer as failed.
func (p *Proxy) end(e *logEntry) {
	if e.status.Load() == 0 {
		p.fail(e)
	}
	p.handlers.Done()
}

// fail counts a request as failed, before its client can know.
func (p *Proxy) fail(e *logEntry) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if e.round == p.round {
		p.failed[e.op]++
	}
}

// Busy reports whether a status says that a server failed a request rather than
// decided it: 500 and above, but for 501, by which one says that it has no such
// operation.
func Busy(status int) bool {
	return status >= http.StatusInternalServerError && status != http.StatusNotImplemented
}

// Intercept has f asked for every request from now on; nil lets all pass again.
func (p *Proxy) Intercept(f Interceptor) {
	if f == nil {
		p.intercept.Store(nil)
		return
	}
	p.intercept.Store(&f)
}

// Counts returns how many requests came in since the start or the last Reset,
// by the names [Operation] gives, but for those in Failed: what a client asks for
// does not depend on how busy a server is. A request counts from its arrival, so all
// that a client has an answer to are in.
func (p *Proxy) Counts() map[string]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	counts := make(map[string]int, len(p.counts))
	for op, n := range p.counts {
		if n -= p.failed[op]; n > 0 {
			counts[op] = n
		}
	}
	return counts
}

// Failed returns how many requests got no answer, or one of a server that is
// [Busy], by the same names: a server under load may give them, and a client asks
// again.
func (p *Proxy) Failed() map[string]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.failed)
}

// Reset forgets the counts and the log.
func (p *Proxy) Reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.counts)
	clear(p.failed)
	p.log, p.oldest = nil, 0
	p.round++ // what fails from now on and came before is in neither count
}

// Requests returns the last 1000 requests, oldest first, each as "operation
// method request-URI status"; the status is "-" while no answer was sent.
func (p *Proxy) Requests() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	lines := make([]string, 0, len(p.log))
	for i := range p.log {
		e := p.log[(p.oldest+i)%len(p.log)]
		status := "-"
		if s := e.status.Load(); s != 0 {
			status = fmt.Sprint(s)
		}
		lines = append(lines, fmt.Sprintf("%s %s %s %s", e.op, e.method, e.uri, status))
	}
	return lines
}

// statusWriter notes the status of the answer. Unwrap keeps what else the writer
// can do within reach of http.ResponseController.
type statusWriter struct {
	http.ResponseWriter
	entry  *logEntry
	failed func(*logEntry) // told of a status that is Busy
}

func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *statusWriter) WriteHeader(status int) {
	if status >= 200 && w.entry.status.CompareAndSwap(0, int32(status)) && Busy(status) {
		w.failed(w.entry)
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Write(b []byte) (int, error) {
	w.entry.status.CompareAndSwap(0, http.StatusOK)
	return w.ResponseWriter.Write(b)
}

// bufferPool spares the forwarder a fresh buffer per body.
type bufferPool struct{ pool sync.Pool }

func (b *bufferPool) Get() []byte {
	if buf, ok := b.pool.Get().(*[]byte); ok {
		return *buf
	}
	return make([]byte, copyBufferSize)
}

func (b *bufferPool) Put(buf []byte) { b.pool.Put(&buf) }
