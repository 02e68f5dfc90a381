package backendtest_test

import (
	"context"
	"io"
	"strings"
	"sync/atomic"

	"github.com/objrepl/replication/backend"
)

// What a broken driver does at the wrong moment, a mutant does at that very moment of
// a check, whatever the speed of the machine: two calls wait for each other, or
// something happens between two looks.

// A meeting holds all that come until there are two. Those after them pass.
type meeting struct {
	came atomic.Int32
	both chan struct{}
}

func newMeeting() *meeting { return &meeting{both: make(chan struct{})} }

func (m *meeting) wait(ctx context.Context) {
	if m.came.Add(1) == 2 {
		close(m.both)
	}
	select {
	case <-m.both:
	case <-ctx.Done():
	}
}

// atSecondLook returns a function that has its argument called between a check's
// first look at what became of a Put and its second. A look begins with a Stat of
// the key that ends so.
func (m *mutant) atSecondLook(suffix string) func(act func()) {
	var act func()
	looks := 0
	m.stat = func(ctx context.Context, key string) (backend.Object, error) {
		if act != nil && strings.HasSuffix(key, suffix) {
			if looks++; looks == 2 {
				act()
				act = nil
			}
		}
		return m.Backend.Stat(ctx, key)
	}
	return func(f func()) { act, looks = f, 0 }
}

// checkThenAct honours conditions by looking before it writes.
func checkThenAct(m *mutant) func(context.Context, string, backend.Body, backend.PutOptions) (backend.Object, error) {
	between := newMeeting()
	return func(ctx context.Context, key string, b backend.Body, o backend.PutOptions) (backend.Object, error) {
		if o.If != (backend.Condition{}) {
			now, err := m.Backend.Stat(ctx, key)
			if (o.If.Absent && err == nil) || (o.If.Match != "" && now.Tag != o.If.Match) {
				return backend.Object{}, failure("put", key, backend.ErrPrecondition)
			}
			between.wait(ctx)
			o.If = backend.Condition{}
		}
		return m.Backend.Put(ctx, key, b, o)
	}
}

// inTwoSteps writes half of a version over another before all of it, and lets a
// reader have the half.
func inTwoSteps(m *mutant) {
	half, seen := make(chan struct{}), make(chan struct{})
	var writing, reading atomic.Bool
	m.put = func(ctx context.Context, key string, b backend.Body, o backend.PutOptions) (backend.Object, error) {
		if _, err := m.Backend.Stat(ctx, key); err != nil || writing.Swap(true) {
			return m.Backend.Put(ctx, key, b, o)
		}
		data, err := read(b)
		if err != nil {
			return backend.Object{}, failure("put", key, err)
		}
		_, _ = m.Backend.Put(ctx, key, backend.Bytes(data[:len(data)/2]), o)
		close(half)
		select {
		case <-seen:
		case <-ctx.Done():
		}
		return m.Backend.Put(ctx, key, b, o)
	}
	m.open = func(ctx context.Context, key string, o backend.OpenOptions) (backend.Object, io.ReadCloser, error) {
		select {
		case <-half:
		case <-ctx.Done():
		}
		obj, r, err := m.Backend.Open(ctx, key, o)
		if !reading.Swap(true) {
			close(seen)
		}
		return obj, r, err
	}
}
