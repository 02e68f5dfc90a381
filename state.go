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
	"github.com/objrepl/replication/backend/local"
	"github.com/objrepl/replication/internal/durable"
	"github.com/objrepl/replication/internal/ledger"
)

// A policyLedger is the open ledger of a policy with the backend it lives in.
type policyLedger struct {
	ledger *ledger.Ledger
	backend.Backend
}

// openLedger opens a policy's ledger for a pass, whose lock the caller holds,
// and takes the writer's place. A damaged manifest is set aside: the pass then
// rebuilds the ledger from what the destination itself says.
func (r *Replicator) openLedger(ctx context.Context, id, dir string) (_ *policyLedger, err error) {
	b, err := local.Driver.Open(ctx, backend.Settings{
		"path": filepath.Join(dir, ledgerDir), "create": "true", "durability": r.durability, "symlinks": "skip", "mode": "ignore",
	})
	if err != nil {
		return nil, fmt.Errorf("open ledger: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, b.Close())
		}
	}()
	o := ledger.Options{Backend: b, Scratch: dir}
	l, err := ledger.Open(ctx, o)
	if errors.Is(err, ledger.ErrDamaged) {
		doubt, doubtErr := newDoubt(dir)
		if doubtErr == nil {
			doubtErr = doubt.lost()
		}
		if doubtErr != nil {
			return nil, errors.Join(err, doubtErr)
		}
		name, asideErr := ledger.SetAside(ctx, o)
		if asideErr != nil {
			return nil, errors.Join(err, asideErr)
		}
		r.config.logger.Warn("the ledger was damaged and is set aside; this pass rebuilds it, and copies nothing that the destination has",
			"policy", id, "damage", err, "file", filepath.Join(dir, ledgerDir, name))
		l, err = ledger.Open(ctx, o)
	}
	if err != nil {
		return nil, err
	}
	if err := r.doubtLost(l, id, dir); err != nil {
		return nil, err
	}
	host, _ := os.Hostname() // for display only
	if err := l.Take(ctx, fmt.Sprintf("process %d on %s", os.Getpid(), host)); err != nil {
		return nil, err
	}
	if err := sweepState(ctx, dir, b); err != nil {
		r.config.logger.Warn("could not sweep leftovers of interrupted passes", "policy", id, "error", err)
	}
	return &policyLedger{l, b}, nil
}

// doubtLost raises the doubt where the ledger is gone altogether.
func (r *Replicator) doubtLost(l *ledger.Ledger, id, dir string) error {
	lost, err := r.ledgerLost(l, id)
	if err != nil || !lost {
		return err
	}
	r.config.logger.Warn("the ledger is gone; this pass rebuilds it, and copies nothing that the destination has", "policy", id)
	d, err := newDoubt(dir)
	if err != nil {
		return err
	}
	return d.lost()
}

// ledgerLost reports whether a policy has no ledger, but had one.
func (r *Replicator) ledgerLost(l *ledger.Ledger, id string) (bool, error) {
	if l.Found() {
		return false, nil
	}
	s, err := readStatus(r.state, id)
	return s.wrote(), err
}

// sweepState removes what killed passes left in a policy's directory and in the
// ledger's store below it. The caller holds the policy's lock and is writing
// nothing, so that nobody is: whatever is temporary is left over, whatever its
// age.
func sweepState(ctx context.Context, dir string, store backend.Backend) error {
	var errs []error
	for _, pattern := range []string{durable.TempPrefix + "*", fmt.Sprintf(deletionsName, "*")} {
		// Not filepath.Glob: the path to dir may hold what a pattern gives a meaning.
		names, err := fs.Glob(os.DirFS(dir), pattern)
		errs = append(errs, err)
		for _, name := range names {
			errs = append(errs, os.Remove(filepath.Join(dir, name)))
		}
	}
	if sweeper, ok := backend.As[backend.Sweeper](store); ok {
		_, err := sweeper.Sweep(ctx, time.Now().Add(time.Hour)) // clocks of file systems differ
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
