package replication

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/objrepl/replication/internal/durable"
)

// errLeaseLost: another process may run the policy now, so that nothing of its
// state is this pass's to write any more.
var errLeaseLost = errors.New("the pass was stopped, since the policy's lease is lost")

// hold runs f as the only one who runs or changes a policy: it takes the lock
// in the policy's directory and, where the state is shared, the lease. It fails
// with a *LockedError where somebody else has either. f's context ends when the
// lease is lost.
func (r *Replicator) hold(ctx context.Context, id string, f func(ctx context.Context, dir string, state *policyState) error) error {
	dir, err := openPolicyDir(r.state, id)
	if err != nil {
		return err
	}
	defer dir.Close()
	lock, err := lockPolicy(dir, id)
	if err != nil {
		return err
	}
	err = r.withState(ctx, id, dir, f)
	return errors.Join(err, lock.unlock())
}

func (r *Replicator) withState(ctx context.Context, id string, dir *os.Root, f func(context.Context, string, *policyState) error) error {
	state, err := r.openPolicyState(ctx, id, dir.Name())
	if err != nil {
		return fmt.Errorf("policy %q: %w", id, err)
	}
	if r.config.state == nil {
		err = f(ctx, dir.Name(), state)
	} else {
		err = r.withLease(ctx, id, dir, state, func(ctx context.Context) error { return f(ctx, dir.Name(), state) })
	}
	return errors.Join(err, state.Close())
}

func (r *Replicator) withLease(ctx context.Context, id string, dir *os.Root, state *policyState, f func(context.Context) error) error {
	place, err := placeOf(dir)
	if err != nil {
		return fmt.Errorf("policy %q: %w", id, err)
	}
	l, err := takeLease(ctx, state, id, place, func(h holder) {
		r.config.logger.Info("another process has the policy's lease; waiting to see whether it is alive", "policy", id, "holder", h.String(), "for", leaseTime)
	})
	if err != nil {
		return fmt.Errorf("policy %q: %w", id, err)
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	// Also while f winds up after its context has ended.
	holding, done := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan error, 1)
	go func() {
		err := l.renew(holding)
		if err != nil {
			err = fmt.Errorf("%w: %w", errLeaseLost, err)
			state.lost.Store(true)
			stop(err)
		}
		ended <- err
	}()
	err = f(ctx)
	done()
	lost := <-ended
	switch {
	case lost == nil:
		err = errors.Join(err, l.release(context.WithoutCancel(ctx)))
	case !errors.Is(err, errLeaseLost): // it was stopped by something else before
		err = errors.Join(err, fmt.Errorf("policy %q: %w", id, lost))
	}
	return err
}

// placeName is a file in a policy's directory that names the directory itself.
const placeName = "place"

// placeOf returns an unguessable name of a policy's directory, whose lock the
// caller holds: a process that has the lock knows that who had the lease at the
// same place before is gone.
func placeOf(dir *os.Root) (string, error) {
	data, err := dir.ReadFile(placeName)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(data) == 0 {
		data = []byte(rand.Text())
		err = durable.WriteFile(dir, placeName, data, 0o600)
	}
	return string(data), err
}
