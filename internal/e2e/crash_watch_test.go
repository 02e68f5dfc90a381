//go:build linux

package e2e

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"
)

// A watcher reads what is visible at the destination, over and over, and keeps
// what should never be seen: a content that the source never had, and a version
// older than one seen before.
type watcher struct {
	store   store
	history *history
	// strict says that a failure to read is a fault: the store cannot be down.
	strict bool

	seen   map[string]int // the newest version seen
	reads  int
	faults []error
}

const (
	watchBatch   = 40 // objects that are read between two listings
	watchPause   = 5 * time.Millisecond
	maxFaultsOut = 20
)

// run watches until ctx ends.
func (w *watcher) run(ctx context.Context) {
	w.seen = map[string]int{}
	source := rand.New(rand.NewPCG(1, 2))
	for ctx.Err() == nil && len(w.faults) < maxFaultsOut {
		keys, err := w.store.keys(ctx)
		if err != nil {
			w.failed(ctx, "", err)
		}
		source.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
		for _, key := range keys[:min(len(keys), watchBatch)] {
			if ctx.Err() != nil {
				return
			}
			w.look(ctx, key)
		}
		select {
		case <-time.After(watchPause):
		case <-ctx.Done():
		}
	}
}

func (w *watcher) failed(ctx context.Context, key string, err error) {
	if ctx.Err() == nil && (w.strict || errors.Is(err, errTorn)) {
		w.faults = append(w.faults, fmt.Errorf("%s: %w", key, err))
	}
}

func (w *watcher) look(ctx context.Context, key string) {
	if strings.Contains(key, probeName) {
		return // asks what the server honours, and is no copy of anything
	}
	sum, gone, err := w.store.sum(ctx, key)
	switch {
	case err != nil:
		w.failed(ctx, key, err)
		return
	case gone:
		return
	}
	w.reads++
	version, ok := w.history.find(key, sum)
	before, again := w.seen[key]
	switch {
	case !ok:
		w.faults = append(w.faults, fmt.Errorf("%s: a content that the source never had", key))
	case again && version < before:
		w.faults = append(w.faults, fmt.Errorf("%s: version %d after version %d", key, version, before))
	default:
		w.seen[key] = version
	}
}

// A meter counts what passes a proxy, tells when a given number of bytes has
// passed, and has noted what is sent and read.
type meter struct {
	sent *sent
	held *held

	mu     sync.Mutex
	total  int64         // guarded by mu; bytes of objects, either way
	target int64         // guarded by mu
	hit    chan struct{} // guarded by mu; closed when total reaches target
}

// after returns a channel that is closed when n more bytes have passed.
func (m *meter) after(n int64) <-chan struct{} {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.target, m.hit = m.total+n, make(chan struct{})
	return m.hit
}

func (m *meter) add(n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.total += int64(n)
	if m.hit != nil && m.total >= m.target {
		close(m.hit)
		m.hit = nil
	}
}

func (m *meter) passed() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.total
}

// intercept is a testutil.Interceptor.
func (m *meter) intercept(op string, w http.ResponseWriter, r *http.Request, next http.Handler) {
	answer := &meteredAnswer{ResponseWriter: w}
	switch op {
	case "PutObject", "UploadPart":
		r.Body = &meteredBody{r.Body, m}
	case "GetObject":
		answer.m, answer.r = m, r
	}
	if note := m.sent.asked(op, r); note != nil {
		// Noted before anything of the answer has left.
		answer.note = func(status int, body string) { m.sent.answered(note, status, body) }
	}
	next.ServeHTTP(answer, r)
	answer.end()
}

type meteredBody struct {
	io.ReadCloser
	m *meter
}

func (b *meteredBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.m.add(n)
	return n, err
}

// A meteredAnswer passes an answer on. One that is to be noted is held back until it
// is whole: those are of a few hundred bytes.
type meteredAnswer struct {
	http.ResponseWriter
	m      *meter                        // of what is read; else nil
	r      *http.Request                 // with m
	note   func(status int, body string) // nil if nobody wants to know
	status int
	body   strings.Builder // only with note
}

func (a *meteredAnswer) WriteHeader(status int) {
	a.status = status
	if a.m != nil && (status == http.StatusOK || status == http.StatusPartialContent) {
		a.m.held.read(a.r, a.Header().Get("ETag"))
	}
	if a.note == nil || status < http.StatusOK {
		a.ResponseWriter.WriteHeader(status)
	}
}

func (a *meteredAnswer) Write(p []byte) (int, error) {
	if a.note != nil {
		return a.body.Write(p)
	}
	n, err := a.ResponseWriter.Write(p)
	if a.m != nil {
		a.m.add(n)
	}
	return n, err
}

// end lets go of what was held back.
func (a *meteredAnswer) end() {
	if a.note == nil {
		return
	}
	a.note(a.status, a.body.String())
	a.ResponseWriter.WriteHeader(a.status)
	_, _ = io.WriteString(a.ResponseWriter, a.body.String()) // a client that is gone learns nothing
}
