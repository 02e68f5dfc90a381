package backendtest

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"sync"
	"time"

	"github.com/objrepl/replication/backend"
)

var cancelChecks = []Check{
	{"cancelled-before", "a cancelled context fails every method and changes nothing", checkCancelledBefore},
	{"cancelled-put", "a Put cancelled amid its body ends soon and leaves nothing", checkCancelledPut},
	{"cancelled-put-large", "so does a Put of a large body", checkCancelledPutLarge},
	{"cancelled-put-unknown-size", "so does a Put of a body of unknown size", checkCancelledPutUnknown},
	{"cancelled-put-deadline", "so does a Put whose deadline passes", checkCancelledDeadline},
	{"cancelled-open", "a cancelled context ends the reading", checkCancelledOpen},
	{"cancelled-list", "a listing that is cut short says so", checkCancelledList},
}

// within calls f and waits for it no longer than Options.Grace.
func (e *env) within(f func() error) error {
	done := make(chan error, 1)
	go func() { done <- protect(f) }()
	timer := time.NewTimer(e.opts.Grace)
	defer timer.Stop()
	select {
	case err := <-done:
		return err
	case <-timer.C:
		return ruleCancel.broken("got no return within %v, want one", e.opts.Grace)
	}
}

// wantCancelled checks an error that a context caused.
func wantCancelled(what string, err, cause error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return ruleNotAbsent.broken("%s: got error %q, want one that does not wrap fs.ErrNotExist", what, err)
	}
	return ruleCancel.wantError(what, err, cause)
}

func checkCancelledBefore(ctx context.Context, e *env) error {
	key, data := e.key("object"), e.bytes(1000)
	o, err := e.put(ctx, key, data)
	if err != nil {
		return err
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	calls := map[string]func() error{
		"stat": func() error { _, err := e.Stat(cancelled, key); return err },
		"open": func() error { _, _, err := e.read(cancelled, key, backend.OpenOptions{}); return err },
		"put": func() error {
			_, err := e.Put(cancelled, key, backend.Bytes([]byte("x")), backend.PutOptions{})
			return err
		},
		"put of another": func() error {
			_, err := e.Put(cancelled, e.key("other"), backend.Bytes(nil), backend.PutOptions{})
			return err
		},
		"delete": func() error { return e.Delete(cancelled, key, backend.DeleteOptions{}) },
		"list": func() error {
			var failed error
			after := 0
			for page, err := range e.List(cancelled, backend.ListOptions{Prefix: e.prefix}) {
				if failed != nil || len(page) > 0 {
					if after++; after > 3 {
						break // an endless one
					}
				}
				if failed == nil {
					failed = err
				}
			}
			if failed != nil && after > 0 {
				return ruleListError.broken("list: got more after an error, want the end")
			}
			return failed
		},
	}
	for what, call := range calls {
		if err := wantCancelled(what+" with a cancelled context", e.within(call), context.Canceled); err != nil {
			return err
		}
	}
	if err := e.wantAbsent(ctx, ruleCancel, e.key("other")); err != nil {
		return err
	}
	return e.wantContent(ctx, ruleCancel, key, data, o.Tag)
}

// cancelPut cancels a Put after n bytes of its body, first where nothing was
// and then over a version.
func (e *env) cancelPut(ctx context.Context, data []byte, n int, unknown bool) error {
	kept, before := e.key("kept"), e.bytes(500)
	o, err := e.put(ctx, kept, before)
	if err != nil {
		return err
	}
	for _, key := range []string{e.key("fresh"), kept} {
		putting, cancel := context.WithCancel(ctx)
		released, release := context.WithCancel(ctx)
		body := stutter(released, data, n, cancel)
		if unknown {
			body.Size = -1
		}
		err := e.within(func() error {
			_, err := e.Put(putting, key, body, backend.PutOptions{})
			return err
		})
		release()
		cancel()
		if err := wantCancelled("put cancelled amid its body", err, context.Canceled); err != nil {
			return err
		}
	}
	return e.nothingLater(ctx, kept, before, o.Tag)
}

// nothingLater checks at once and when a request that was left running would
// have arrived.
func (e *env) nothingLater(ctx context.Context, kept string, before []byte, tag backend.Tag) error {
	for _, wait := range []time.Duration{0, 2 * afterwards} {
		time.Sleep(wait)
		if err := e.wantAbsent(ctx, ruleCancel, e.key("fresh")); err != nil {
			return err
		}
		if err := e.wantContent(ctx, ruleCancel, kept, before, tag); err != nil {
			return err
		}
		if err := e.wantList(ctx, ruleCancel, backend.ListOptions{Prefix: e.prefix}, []string{kept}); err != nil {
			return err
		}
	}
	return nil
}

// The slow rest of each body takes far longer than Options.Grace.
func checkCancelledPut(ctx context.Context, e *env) error {
	data := e.bytes(min(1<<20, e.large()))
	for _, n := range []int{0, 1, len(data) / 2} {
		if err := e.cancelPut(ctx, data, n, false); err != nil {
			return err
		}
	}
	return nil
}

func checkCancelledPutLarge(ctx context.Context, e *env) error {
	n := e.large()
	return e.cancelPut(ctx, e.bytes(n), n-min(n/4, 100_000), false)
}

func checkCancelledPutUnknown(ctx context.Context, e *env) error {
	if !e.Properties().UnknownSize {
		return e.skip("bodies of unknown size are not declared")
	}
	n := e.large()
	return e.cancelPut(ctx, e.bytes(n), n/2, true)
}

// checkCancelledDeadline uses a body that waits for the context itself, as one
// does that is read from a network.
func checkCancelledDeadline(ctx context.Context, e *env) error {
	kept, before := e.key("kept"), e.bytes(500)
	o, err := e.put(ctx, kept, before)
	if err != nil {
		return err
	}
	for _, key := range []string{e.key("fresh"), kept} {
		putting, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
		body := backend.Body{Size: 1000, Open: func(int64) (io.ReadCloser, error) {
			return &waitingReader{ctx: putting, first: e.bytes(10)}, nil
		}}
		err := e.within(func() error {
			_, err := e.Put(putting, key, body, backend.PutOptions{})
			return err
		})
		cancel()
		if err := wantCancelled("put whose deadline passes", err, context.DeadlineExceeded); err != nil {
			return err
		}
	}
	return e.nothingLater(ctx, kept, before, o.Tag)
}

type waitingReader struct {
	ctx   context.Context
	first []byte
}

func (r *waitingReader) Read(p []byte) (int, error) {
	if len(r.first) > 0 {
		n := copy(p, r.first)
		r.first = r.first[n:]
		return n, nil
	}
	<-r.ctx.Done()
	return 0, r.ctx.Err()
}

func (r *waitingReader) Close() error { return nil }

func checkCancelledOpen(ctx context.Context, e *env) error {
	key, data := e.key("large"), e.bytes(e.large())
	o, err := e.put(ctx, key, data)
	if err != nil {
		return err
	}
	reading, cancel := context.WithCancel(ctx)
	defer cancel()
	_, r, err := e.Open(reading, key, backend.OpenOptions{})
	if err != nil {
		return err
	}
	var once sync.Once
	defer once.Do(func() { r.Close() })
	if _, err := io.ReadFull(r, make([]byte, 100)); err != nil {
		return err
	}
	cancel()
	n := int64(0)
	err = e.within(func() (err error) { n, err = io.Copy(io.Discard, r); return err })
	if err == nil {
		return ruleOpenContext.broken("read on after the context is cancelled: got %d bytes and io.EOF, want an error", n)
	}
	if err := wantCancelled("read on after the context is cancelled", err, context.Canceled); err != nil {
		return err
	}
	once.Do(func() { r.Close() })
	return e.wantContent(ctx, ruleOpenContext, key, data, o.Tag)
}

func checkCancelledList(ctx context.Context, e *env) error {
	keys, err := e.populate(ctx, fewer)
	if err != nil {
		return err
	}
	listing, cancel := context.WithCancel(ctx)
	defer cancel()
	var got []string
	var failed error
	if err := e.within(func() error {
		for page, err := range e.List(listing, backend.ListOptions{Prefix: e.prefix}) {
			if err != nil {
				failed = err
				continue
			}
			if got = append(got, keysOf(page)...); len(got) > 2*len(keys) {
				break // an endless one
			}
			cancel()
		}
		return nil
	}); err != nil {
		return err
	}
	switch {
	case failed != nil:
		return wantCancelled("list cancelled after its first page", failed, context.Canceled)
	case len(got) != len(keys):
		return ruleListComplete.broken("list cancelled after its first page: got %s and no error, want an error or all of %s", e.showKeys(got), e.showKeys(keys))
	}
	return nil
}
