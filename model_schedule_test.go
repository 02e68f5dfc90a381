package replication

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"testing/synctest"
	"time"

	"github.com/objrepl/replication/backend"
)

// A lateCall takes effect when the pass makes that call, after its own answer
// was a failure.
type lateCall struct {
	call int
	name string
	do   func() error
}

// errStopped answers every call after the pass was stopped.
var errStopped = errors.New("the pass was stopped")

// A verdictOf says what becomes of one call.
type verdictOf struct {
	before, after error
	late          int
	twice         bool
	stop          bool // the pass ends with this call
}

// A waiter is a call that waits for its turn.
type waiter struct {
	h       *simStore
	op, key string
	answer  chan verdictOf
}

func (w *waiter) name() string { return w.h.side + " " + w.op + " " + w.key }

// gate lets a call wait for its turn.
func (s *simulation) gate(ctx context.Context, h *simStore, op, key string) (verdictOf, error) {
	if err := ctx.Err(); err != nil {
		return verdictOf{}, err
	}
	if h.actor == modelPolicy && s.stopped {
		return verdictOf{}, errStopped
	}
	w := &waiter{h: h, op: op, key: key, answer: make(chan verdictOf, 1)}
	s.mu.Lock()
	s.waiting = append(s.waiting, w)
	s.mu.Unlock()
	select {
	case v := <-w.answer:
		return v, nil
	case <-ctx.Done():
		s.mu.Lock()
		s.waiting = slices.DeleteFunc(s.waiting, func(o *waiter) bool { return o == w })
		s.mu.Unlock()
		return verdictOf{}, ctx.Err()
	}
}

// next takes one waiting call of an actor out, as the plan says.
func (s *simulation) next(actor string) *waiter {
	s.mu.Lock()
	defer s.mu.Unlock()
	var mine []*waiter
	for _, w := range s.waiting {
		if w.h.actor == actor {
			mine = append(mine, w)
		}
	}
	if len(mine) == 0 {
		return nil
	}
	slices.SortFunc(mine, func(a, b *waiter) int { return strings.Compare(a.name(), b.name()) })
	w := mine[s.plan.order(s.phase, s.call+1, len(mine))]
	s.waiting = slices.DeleteFunc(s.waiting, func(o *waiter) bool { return o == w })
	return w
}

// stuckAfter is how long, in time that costs nothing, a pass may do nothing.
const stuckAfter = 1000

// schedule lets the calls of an actor's pass through, one at a time, until it
// ends. Everybody else stands still meanwhile; events are for the pass under
// test alone.
func (s *simulation) schedule(actor string, done <-chan struct{}) {
	for idle := 0; ; {
		synctest.Wait()
		select {
		case <-done:
			return
		default:
		}
		w := s.next(actor)
		if w == nil {
			// Nobody waits for us, so somebody waits for time to pass.
			if idle++; idle == stuckAfter {
				s.violated("the pass is stuck")
			}
			if idle > 2*stuckAfter {
				panic("the pass does not end although it was cancelled")
			}
			time.Sleep(time.Second)
			continue
		}
		idle = 0
		if actor != modelPolicy {
			s.clock++
			w.answer <- verdictOf{}
			continue
		}
		s.call++
		s.clock++
		if w.op != "list" {
			s.costly++
		}
		w.answer <- s.judge(w)
	}
}

// judge lets the events of this moment happen and says what becomes of a call.
func (s *simulation) judge(w *waiter) verdictOf {
	var v verdictOf
	s.landLate(s.call)
	if !s.healed {
		for _, e := range s.plan.at(s.phase, s.call) {
			s.tracef("%s", e)
			s.fault(e, w, &v)
			s.happen(e)
		}
	}
	if s.call <= s.outages[w.h.side] {
		v.before = backend.ErrUnavailable
	}
	if w.op != "list" && s.forbidden[w.h.side] == w.key && w.key != "" {
		v.before = fs.ErrPermission
	}
	if s.violation != "" {
		v.before = errStopped
	}
	return v
}

var passing = []error{backend.ErrUnavailable, backend.ErrThrottled, fs.ErrPermission,
	errors.New("something unheard of"), backend.ErrStoreNotFound, backend.ErrChecksum, backend.ErrUnavailable}

// fault does to the call at hand, and those after it, what an event says.
func (s *simulation) fault(e event, w *waiter, v *verdictOf) {
	class := passing[e.n%len(passing)]
	switch e.kind {
	case failBefore:
		v.before = &backend.Error{Op: w.op, Backend: "sim", Key: w.key, Err: class}
	case failAfter:
		if backend.Definite(class) {
			class = backend.ErrUnavailable
		}
		v.after = &backend.Error{Op: w.op, Backend: "sim", Key: w.key, Err: class}
	case failLate:
		if w.op == "put" || w.op == "delete" || w.op == "complete" || w.op == "delete many" || w.op == "copy" || w.op == "copy in" {
			v.late, s.anyLate = 1+e.n, true
		}
	case bodyTwice:
		v.twice = true
	case sourceOutage:
		s.outages[sideSource] = s.call + 1 + e.n*2
	case destinationOutage:
		s.outages[sideDestination] = s.call + 1 + e.n*2
	case stopBefore, killBefore:
		v.before = errStopped
	case stopAfter, killAfter:
		v.after = errStopped
	}
	switch e.kind {
	case killBefore, killAfter:
		v.stop, s.killed = true, true
	case stopBefore, stopAfter:
		v.stop = true
	}
}

// postpone lets a call take effect a few calls from now.
func (s *simulation) postpone(calls int, name string, do func() error) {
	s.late = append(s.late, lateCall{s.call + calls, name, do})
}

// landLate does the late calls whose moment has come.
func (s *simulation) landLate(call int) {
	var rest []lateCall
	for _, l := range s.late {
		if l.call > call {
			rest = append(rest, l)
			continue
		}
		s.moved = true
		s.tracef("%s: %s", l.name, outcomeText(l.do()))
	}
	s.late = rest
}
