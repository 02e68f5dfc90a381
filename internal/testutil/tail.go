package testutil

import "sync"

// tail is a writer that keeps the last bytes written to it: the output of a
// child process, bounded however long it runs.
type tail struct {
	limit int

	mu      sync.Mutex
	buf     []byte // guarded by mu; at most 2*limit
	dropped bool   // guarded by mu
}

func newTail(limit int) *tail { return &tail{limit: limit} }

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := len(p)
	if over := len(p) - t.limit; over > 0 {
		p = p[over:]
		t.dropped = true
	}
	t.buf = append(t.buf, p...)
	// Cut at twice the limit only, so that small writes cost no copy each.
	if len(t.buf) > 2*t.limit {
		t.buf = append(t.buf[:0], t.buf[len(t.buf)-t.limit:]...)
		t.dropped = true
	}
	return n, nil
}

// String returns what was kept, marked where older output was dropped.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	b, dropped := t.buf, t.dropped
	if len(b) > t.limit {
		b, dropped = b[len(b)-t.limit:], true
	}
	if dropped {
		return "[...]" + string(b)
	}
	return string(b)
}
