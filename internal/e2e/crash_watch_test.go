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

// A meter counts what passes a proxy, and tells when a given number of bytes
// has passed.
type meter struct {
	mu     sync.Mutex
	total  int64          // guarded by mu; bytes of objects, either way
	target int64          // guarded by mu
	hit    chan struct{}  // guarded by mu; closed when total reaches target
	writes map[string]int // guarded by mu; acknowledged writes, by key and marked source version
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

// repeated returns the writes that were acknowledged more than once.
func (m *meter) repeated() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []string
	for what, n := range m.writes {
		if n > 1 {
			out = append(out, fmt.Sprintf("%s %d times", what, n))
		}
	}
	return out
}

// intercept is a testutil.Interceptor.
func (m *meter) intercept(op string, w http.ResponseWriter, r *http.Request, next http.Handler) {
	switch op {
	case "PutObject", "UploadPart":
		r.Body = &meteredBody{r.Body, m}
		answer := &meteredAnswer{ResponseWriter: w}
		next.ServeHTTP(answer, r)
		// The marker is the policy, the source's size, tag and stamp, and the
		// operation, which is another one each time.
		marker := strings.Split(r.Header.Get("X-Amz-Meta-Objrepl-Marker"), " ")
		if op == "PutObject" && answer.status == http.StatusOK && len(marker) == 6 {
			m.mu.Lock()
			m.writes[r.URL.Path+" "+strings.Join(marker[:5], " ")]++
			m.mu.Unlock()
		}
	case "GetObject":
		next.ServeHTTP(&meteredAnswer{ResponseWriter: w, m: m}, r)
	default:
		next.ServeHTTP(w, r)
	}
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

type meteredAnswer struct {
	http.ResponseWriter
	m      *meter // nil to note the status alone
	status int
}

func (a *meteredAnswer) WriteHeader(status int) {
	a.status = status
	a.ResponseWriter.WriteHeader(status)
}

func (a *meteredAnswer) Write(p []byte) (int, error) {
	n, err := a.ResponseWriter.Write(p)
	if a.m != nil {
		a.m.add(n)
	}
	return n, err
}
