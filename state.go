package replication

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/internal/durable"
	"github.com/objrepl/replication/internal/ledger"
)

// takeLedger opens a policy's ledger for a pass, whose locks the caller holds,
// and takes the writer's place. A damaged manifest is set aside: the pass then
// rebuilds the ledger from what the destination itself says. scratch is the
// policy's directory on this machine.
func (r *Replicator) takeLedger(ctx context.Context, id string, state *policyState, scratch string) (*ledger.Ledger, error) {
	o := state.ledgerOptions(scratch)
	l, err := ledger.Open(ctx, o)
	if errors.Is(err, ledger.ErrDamaged) {
		doubt, doubtErr := newDoubt(ctx, state)
		if doubtErr == nil {
			doubtErr = doubt.lost(ctx)
		}
		if doubtErr != nil {
			return nil, errors.Join(err, doubtErr)
		}
		name, asideErr := ledger.SetAside(ctx, o)
		if asideErr != nil {
			return nil, errors.Join(err, asideErr)
		}
		r.config.logger.Warn("the ledger was damaged and is set aside; this pass rebuilds it, and copies nothing that the destination has",
			"policy", id, "damage", err, "file", state.shown+"/"+o.Prefix+name)
		l, err = ledger.Open(ctx, o)
	}
	if err != nil {
		return nil, err
	}
	if err := r.doubtLost(ctx, l, id, state); err != nil {
		return nil, err
	}
	if err := l.Take(ctx, thisProcess().String()); err != nil {
		return nil, err
	}
	if err := sweepState(ctx, scratch, state); err != nil && ctx.Err() == nil {
		r.config.logger.Warn("could not sweep leftovers of interrupted passes", "policy", id, "error", err)
	}
	return l, nil
}

// doubtLost raises the doubt where the ledger is gone altogether.
func (r *Replicator) doubtLost(ctx context.Context, l *ledger.Ledger, id string, state *policyState) error {
	lost, err := lostLedger(ctx, l, state)
	if err != nil || !lost {
		return err
	}
	r.config.logger.Warn("the ledger is gone; this pass rebuilds it, and copies nothing that the destination has", "policy", id)
	d, err := newDoubt(ctx, state)
	if err != nil {
		return err
	}
	return d.lost(ctx)
}

// lostLedger reports whether a policy has no ledger, but had one.
func lostLedger(ctx context.Context, l *ledger.Ledger, state *policyState) (bool, error) {
	if l.Found() {
		return false, nil
	}
	s, err := readStatus(ctx, state)
	return s.knew(), err
}

// sweepState removes what killed passes left in a policy's directory and in its
// state. The caller holds the policy's lock and is writing
// nothing, so that nobody is: whatever is temporary is left over, whatever its
// age.
func sweepState(ctx context.Context, dir string, state *policyState) error {
	var errs []error
	for _, pattern := range []string{durable.TempPrefix + "*", fmt.Sprintf(deletionsName, "*")} {
		// Not filepath.Glob: the path to dir may hold what a pattern gives a meaning.
		names, err := fs.Glob(os.DirFS(dir), pattern)
		errs = append(errs, err)
		for _, name := range names {
			errs = append(errs, os.Remove(filepath.Join(dir, name)))
		}
	}
	if sweeper, ok := backend.As[backend.Sweeper](state.Backend); ok {
		_, err := sweeper.Sweep(ctx, time.Now().Add(time.Hour)) // clocks of file systems differ
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
