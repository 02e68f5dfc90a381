package replication

import (
	"context"
	"fmt"
	"io"
	"sync"

	"github.com/objrepl/replication/backend"
)

// pagesAhead is how many pages a listing may be ahead of its reader, so that
// the next one is on its way while this one is merged.
const pagesAhead = 2

// A lister reads a listing ahead in a goroutine of its own. Its methods are for
// one goroutine.
type lister struct {
	prefix string // taken off the keys
	pages  chan []backend.Object
	err    error // of the listing; set before pages is closed
	cancel context.CancelFunc
	wait   sync.WaitGroup

	page []backend.Object
	next int
}

// startLister begins to list what one side of a policy has in a shard. The
// caller stops it.
func startLister(ctx context.Context, e *endpoint, part shard, again retrier, weather *outage) *lister {
	ctx, cancel := context.WithCancel(ctx)
	l := &lister{prefix: e.prefix, pages: make(chan []backend.Object, pagesAhead), cancel: cancel}
	l.wait.Go(func() {
		defer close(l.pages)
		l.err = e.wrap(l.run(ctx, e, part, again, weather))
	})
	return l
}

// run lists to the end, resuming behind the last key it got when the store
// fails for a while.
func (l *lister) run(ctx context.Context, e *endpoint, part shard, again retrier, weather *outage) error {
	after, until := "", ""
	if part.after != "" {
		after = e.key(part.after)
	}
	if part.until != "" {
		until = e.key(part.until)
	}
	list := func() (progress bool, err error) {
		for page, err := range e.List(ctx, backend.ListOptions{Prefix: l.prefix, After: after, Until: until}) {
			if err != nil {
				return progress, err
			}
			for i := range page {
				if page[i].Key <= after {
					return false, fmt.Errorf("listing is out of order: key %q comes after %q", page[i].Key, after)
				}
				after = page[i].Key
			}
			if len(page) == 0 {
				continue
			}
			progress = true
			e.answered.Store(true)
			select {
			case l.pages <- page:
			case <-ctx.Done():
				return progress, ctx.Err()
			}
		}
		return progress, ctx.Err()
	}
	for {
		since := weather.recoveries.Load()
		err := again.do(ctx, list)
		if err == nil {
			e.answered.Store(true)
			return nil
		}
		if !weather.waitOut(ctx, since, err) {
			return err
		}
	}
}

// read returns the next object and its key without the prefix, or io.EOF after
// a listing that was complete. It ends with the context of startLister.
func (l *lister) read(context.Context) (*backend.Object, string, error) {
	for l.next == len(l.page) {
		page, ok := <-l.pages
		if !ok {
			if l.err != nil {
				return nil, "", l.err
			}
			return nil, "", io.EOF
		}
		l.page, l.next = page, 0
	}
	o := &l.page[l.next]
	l.next++
	return o, o.Key[len(l.prefix):], nil
}

// stop ends the listing and waits for its goroutine.
func (l *lister) stop() {
	l.cancel()
	for range l.pages { // let a blocked sender see the cancellation
	}
	l.wait.Wait()
}
