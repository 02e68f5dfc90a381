package replication

import (
	"context"
	"fmt"
	"time"

	"github.com/objrepl/replication/internal/ledger"
)

// A checkpointer writes outcomes to the ledger, in key order and after the
// destination acknowledged them, and commits them now and then. It is for one
// goroutine.
type checkpointer struct {
	pass    *pass
	update  *ledger.Update
	pending int
	last    time.Time
	err     error // the first; nothing is written after it
}

func (p *pass) checkpoints() *checkpointer {
	return &checkpointer{pass: p, update: p.ledger.Begin(), last: time.Now()}
}

// collect takes one outcome. What was acknowledged is kept also of a pass that is
// being stopped.
func (c *checkpointer) collect(ctx context.Context, d decision, out outcome) {
	if c.err != nil {
		return
	}
	ctx = context.WithoutCancel(ctx)
	switch {
	case out.entry != nil:
		c.err = c.update.Put(ctx, *out.entry)
	case out.forget:
		c.err = c.update.Delete(ctx, d.key)
	default:
		return
	}
	if c.pending++; c.err == nil && (c.pending >= checkpointOutcomes || time.Since(c.last) >= checkpointTime) {
		c.commit(ctx)
	}
	if c.err != nil {
		c.pass.stop(fmt.Errorf("write ledger: %w", c.err))
	}
}

func (c *checkpointer) commit(ctx context.Context) {
	c.err = c.update.Commit(ctx)
	c.pending, c.last = 0, time.Now()
}

// close commits what is left.
func (c *checkpointer) close(ctx context.Context) error {
	if c.err == nil {
		c.commit(context.WithoutCancel(ctx))
	}
	if c.err != nil {
		return fmt.Errorf("write ledger: %w", c.err)
	}
	return nil
}
