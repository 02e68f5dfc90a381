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

var defaultRetrier = retrier{attempts: 4, first: 200 * time.Millisecond}

// do calls f until it succeeds, fails for good, has failed r.attempts times
// without progress, or ctx ends. The error is f's last.
func (r retrier) do(ctx context.Context, f func() (progress bool, err error)) error {
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval = r.first
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
		if errors.As(err, &asked) && asked.RetryAfter > delay {
			delay = asked.RetryAfter
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
