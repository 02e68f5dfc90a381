package replication

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/objrepl/replication/backend"
)

// An outage is the circuit between a pass and its stores. When a call fails, in
// spite of retries, in a way that may be the whole store's fault, the store is
// asked whether it is there. While it is not, the pass waits, instead of
// failing every other object too; what failed is then done again. A store that
// stays away longer than patience ends the pass.
//
// Only a store that has answered in this pass is waited for: one that was never
// there is a mistake in the settings, to be told at once.
type outage struct {
	stores   []*endpoint
	patience time.Duration
	log      *slog.Logger
	policy   string

	recoveries atomic.Int64
	gate       chan struct{} // held by the one that asks, which all others wait for
}

func newOutage(policy string, patience time.Duration, log *slog.Logger, stores ...*endpoint) *outage {
	return &outage{stores: stores, patience: patience, log: log, policy: policy, gate: make(chan struct{}, 1)}
}

// probeKey is asked for. That it is absent is as good an answer as any.
const probeKey = "objrepl-probe"

// probe returns the store that is out of reach, and why; nil if none is.
func (o *outage) probe(ctx context.Context) (*endpoint, error) {
	for _, e := range o.stores {
		if _, err := e.Stat(ctx, e.key(probeKey)); outOfReach(err) {
			return e, e.wrap(err)
		}
	}
	return nil, nil
}

// outOfReach reports whether an error may be the whole store's.
func outOfReach(err error) bool {
	return errors.Is(err, backend.ErrUnavailable) || errors.Is(err, backend.ErrStoreNotFound) && !errors.Is(err, fs.ErrNotExist)
}

// waitOut is told of a failure that retries did not cure, of work that began
// after so many recoveries. It reports whether to try again: there was an
// outage, and it has passed.
func (o *outage) waitOut(ctx context.Context, since int64, err error) bool {
	if !outOfReach(err) || o.patience <= 0 {
		return false
	}
	select {
	case o.gate <- struct{}{}:
		defer func() { <-o.gate }()
	case <-ctx.Done():
		return false
	}
	if o.recoveries.Load() > since {
		return true
	}
	if e, _ := o.probe(ctx); e == nil || !e.answered.Load() {
		return false // the call failed alone, or the settings are wrong
	}
	o.log.Warn("a store is out of reach; the pass waits for it", "policy", o.policy, "error", err, "patience", o.patience)
	pause := backoff.NewExponentialBackOff()
	pause.MaxInterval = 15 * time.Second
	deadline := time.Now().Add(o.patience)
	for {
		timer := time.NewTimer(min(pause.NextBackOff(), time.Until(deadline)))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return false
		}
		if e, _ := o.probe(ctx); e == nil {
			o.recoveries.Add(1)
			o.log.Info("the store is back; the pass goes on", "policy", o.policy)
			return true
		}
		if !time.Now().Before(deadline) {
			return false
		}
	}
}

// settle works on one object, and again after an outage that it met. An outage
// that does not pass stops the pass.
func (p *pass) settle(ctx context.Context, work func() outcome) outcome {
	for {
		since := p.outage.recoveries.Load()
		out := work()
		switch {
		case out.err == nil:
			p.source.answered.Store(true)
			p.destination.answered.Store(true)
			return out
		case ctx.Err() != nil || !outOfReach(out.err):
			return out
		case p.outage.waitOut(ctx, since, out.err):
			continue
		}
		_, cause := p.outage.probe(ctx)
		if cause == nil {
			return out // the store answers others
		}
		if ctx.Err() == nil {
			p.stop(cause)
		}
		return outcome{}
	}
}
