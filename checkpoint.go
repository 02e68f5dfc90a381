package replication

import (
	"context"
	"errors"
	"fmt"
	"sync"
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
	err     error    // the first; nothing is written after it
	at      string   // the last key collected
	settled []string // keys of earlier passes' intents, of which the ledger says more when it is committed

	mu      sync.Mutex
	batches []intentBatch // whose copies are not all committed; guarded by mu
}

// An intentBatch is intents that were written under a name, with the last decision
// that went out after them.
type intentBatch struct {
	name        string
	first, last string // their keys at the destination
	until       string // the decision's key
}

// covers tells of intents up to a key, which come in order. It may be called
// beside the other methods.
func (c *checkpointer) covers(b intentBatch) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.batches = append(c.batches, b)
}

// forget removes the intents of what is committed, but for those whose outcome nobody
// knows. Where it fails, or the process ends before, they are found settled again.
func (c *checkpointer) forget(ctx context.Context) {
	c.mu.Lock()
	n := 0
	for n < len(c.batches) && c.batches[n].until <= c.at {
		n++
	}
	done := c.batches[:n:n]
	c.batches = c.batches[n:]
	c.mu.Unlock()
	p := c.pass
	err := p.within.intents.forget(ctx, done, p.nextIntents)
	settleErr := p.within.intents.earlier.settle(ctx, c.settled, p.nextIntents)
	if settleErr == nil {
		c.settled = nil
	}
	if err := errors.Join(err, settleErr); err != nil {
		p.log.Warn("could not forget copies that are in the ledger; the end of the pass tries again", "policy", p.policy.ID, "error", err)
	}
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
	c.at = d.key
	switch {
	case out.entry != nil:
		c.err = c.update.Put(ctx, *out.entry)
	case out.forget:
		c.err = c.update.Delete(ctx, d.key)
	default:
		return
	}
	earlier, key := c.pass.within.intents.earlier, c.pass.destination.key(d.key)
	if d.verdict != verdictClaim && earlier.cover(key) { // of a claim the deletion asks once more
		c.settled = append(c.settled, key)
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
	if c.err == nil {
		c.forget(ctx)
	}
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
