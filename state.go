package replication

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/local"
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
		"path": filepath.Join(dir, ledgerDir), "create": "true", "durability": "full", "symlinks": "skip", "mode": "ignore",
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
	host, _ := os.Hostname() // for display only
	if err := l.Take(ctx, fmt.Sprintf("process %d on %s", os.Getpid(), host)); err != nil {
		return nil, err
	}
	return &policyLedger{l, b}, nil
}
