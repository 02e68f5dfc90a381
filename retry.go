package replication

import (
	"context"
	"errors"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/objrepl/replication/backend"
)

// A retrier makes a call to a store again while it fails in a way that may
// pass. It is the only place that does: drivers ask their stores once.
type retrier struct {
	attempts int           // without progress; at least 1
	first    time.Duration // the first pause; the following ones grow
}

// Ten attempts, since an object that fails stays behind until the next pass,
// and a store under load, or behind a bad network, fails one request in five:
// of a million objects four attempts then lose 1,600, and ten none. The pauses
// sum up to seven seconds, which is how long a store that is gone goes
// unnoticed.
var defaultRetrier = retrier{attempts: 10, first: 100 * time.Millisecond}

const (
	// maxPause bounds the pauses that are ours to choose.
	maxPause = 2 * time.Second
	// maxAsked bounds what a store can ask for with Retry-After: a worker that
	// waits holds up others, and a pass that fails may be run again later.
	maxAsked = time.Minute
)

// do calls f until it succeeds, fails for good, has failed r.attempts times
// without progress, or ctx ends. The error is f's last.
func (r retrier) do(ctx context.Context, f func() (progress bool, err error)) error {
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval = r.first, maxPause
	failed := 0
	for {
		progress, err := f()
		if err == nil || !backend.Retryable(err) || ctx.Err() != nil {
			return err
		}
		if progress {
			failed = 0
			pause.Reset()
		}
		if failed++; failed >= r.attempts {
			return err
		}
		delay := pause.NextBackOff()
		var asked *backend.Error
		if errors.As(err, &asked) {
			delay = max(delay, min(asked.RetryAfter, maxAsked))
		}
		timer := time.NewTimer(delay)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return errors.Join(ctx.Err(), err)
		}
	}
}

// call is do for a call that makes no partial progress.
func (r retrier) call(ctx context.Context, f func() error) error {
	return r.do(ctx, func() (bool, error) { return false, f() })
}
