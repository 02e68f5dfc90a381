package replication

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/memory"
	"github.com/objrepl/replication/internal/ledger"
)

// A reading is a pass that only looks: it merges what a pass would merge, in
// the same shards, and can change neither side nor the ledger. It needs no
// lock: what a pass does meanwhile it sees, or does not see, as anybody does
// who lists a store that moves.
type reading struct {
	*pass
	// The backends of the pass's endpoints.
	sourceStore, destinationStore *readOnly
}

// read opens both sides and the ledger of a policy, and gives them to use.
func (r *Replicator) read(ctx context.Context, p Policy, task Task, options syncOptions, use func(context.Context, *reading) error) error {
	leave, err := r.enter()
	if err != nil {
		return err
	}
	defer leave()
	if err := r.validate(p); err != nil {
		return err
	}
	if err := encryptionAvailable(p); err != nil {
		return err
	}
	var progress Progress
	r.observe(Event{Type: EventStarted, Task: task, PolicyID: p.ID})
	defer func() {
		r.observe(Event{Type: EventFinished, Task: task, PolicyID: p.ID, Err: err, Progress: progress})
	}()
	fail := func(e error) error {
		if e != nil {
			err = fmt.Errorf("policy %q: %w", p.ID, e)
		}
		return err
	}
	source, err := r.openEndpoint(ctx, "source", p.SourceBackend, p.SourceSettings, p.SourcePrefix)
	if err != nil {
		return fail(err)
	}
	defer source.Close()
	destination, err := r.openEndpoint(ctx, "destination", p.DestinationBackend, p.DestinationSettings, p.destinationPrefix())
	if err != nil {
		return fail(err)
	}
	defer destination.Close()
	state, err := r.readPolicyState(ctx, p.ID)
	if err != nil {
		return fail(err)
	}
	defer state.Close()
	if err := r.checkApart(p, source, destination, state); err != nil {
		return fail(err)
	}
	known, err := r.readLedger(ctx, p.ID, state)
	if err != nil {
		return fail(err)
	}

	if !p.carriesMore() {
		destination.copyFrom(source) // as a pass would; nothing is copied here
	}
	status, err := readStatus(ctx, state)
	if err != nil {
		return fail(err)
	}
	_, makes, err := mayMake(ctx, destination, known.Rows(), status.Destination)
	if err != nil {
		return fail(err)
	}
	_, takesParts := backend.As[backend.PartUploader](destination.Backend)
	from := &readOnly{Backend: source.Backend}
	to := &readOnly{Backend: destination.Backend, missingIsEmpty: makes}
	source.Backend, destination.Backend = from, to
	pass, err := r.newPass(ctx, p, options, source, destination, state, "")
	if err != nil {
		return fail(err)
	}
	pass.ledger, pass.task = known, task
	pass.guards = newGuards(destination, r.state, r.again, r.config.logger) // only to remember
	if task == TaskPlan {
		lost, err := lostLedger(ctx, known, state)
		if err != nil {
			return fail(err)
		}
		pass.doubt.look.Store(lost || pass.doubt.look.Load())
	} else {
		pass.doubt.look.Store(false)
	}
	pass.parts.taken = takesParts // as a pass would see it; nothing is put here
	ctx, pass.stop = context.WithCancelCause(ctx)
	defer pass.stop(nil)
	err = use(ctx, &reading{pass: pass, sourceStore: from, destinationStore: to})
	if cause := context.Cause(ctx); cause != nil {
		err = cause // what stopped it, not the cancelled calls it left
	}
	progress = pass.progress.snapshot()
	return fail(err)
}

// readLedger opens a policy's ledger to look at. One whose manifest is damaged
// is empty, which is how a pass would find it too.
func (r *Replicator) readLedger(ctx context.Context, id string, state *policyState) (*ledger.Ledger, error) {
	l, err := ledger.Open(ctx, state.ledgerOptions(""))
	if errors.Is(err, ledger.ErrDamaged) {
		r.config.logger.Warn("the ledger is damaged; a pass would rebuild it, and so this looks without it", "policy", id, "damage", err)
		return ledger.Open(ctx, ledger.Options{Backend: memory.NewBackend()})
	}
	return l, err
}

// A visit reads one shard's detector to its end. It may be called again with
// another one, which goes on behind the last key of the one before. At most
// ahead decisions of the shard may wait for workers.
type visit func(ctx context.Context, d *detector, ahead int) error

// walk merges all shards, several at once, each with a visit of its own. A nil
// error means that all listings were complete.
func (c *reading) walk(ctx context.Context, begin func(shard int) visit) (seen *scanned, err error) {
	splits, err := c.split(ctx)
	if err != nil {
		return nil, err
	}
	shards := shardsBetween(splits)
	counts := make([]detected, len(shards))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(lanes)
	for i, part := range shards {
		visit := begin(i)
		group.Go(func() error {
			return c.walkShard(ctx, part, &counts[i], func(ctx context.Context, d *detector) error {
				return visit(ctx, d, window/min(len(shards), lanes))
			})
		})
	}
	err = group.Wait()
	seen = new(scanned)
	for _, n := range counts {
		seen.listed += n.listed
		seen.known += n.known
		c.result.unchanged.Add(n.unchanged)
	}
	if err == nil {
		c.progress.listingDone.Store(true)
		c.emit(Event{Type: EventProgress})
	}
	return seen, err
}

// walkShard merges one shard, and goes on behind the last key where a part of
// the ledger turned out damaged or replaced.
func (c *reading) walkShard(ctx context.Context, part shard, counts *detected, visit func(context.Context, *detector) error) error {
	state := c.ledger
	d := new(detector)
	for {
		err := c.walkFrom(ctx, part, state, d, visit)
		counts.listed += d.counts.listed
		counts.known += d.counts.known
		counts.unchanged += d.counts.unchanged
		if !errors.Is(err, ledger.ErrDamaged) {
			return err
		}
		if state, err = state.Reread(ctx, err); err != nil {
			return err
		}
		if d.last != "" {
			part.after = d.last
		}
	}
}

// walkFrom merges what a shard has behind the last key of d, and leaves in d
// how far it came.
func (c *reading) walkFrom(ctx context.Context, part shard, state *ledger.Ledger, d *detector, visit func(context.Context, *detector) error) (err error) {
	before := *d
	cursor, err := state.Read(ctx, part.after, part.until)
	if err != nil {
		d.counts = detected{}
		return err
	}
	defer func() { err = errors.Join(err, cursor.Close()) }()
	merged, stop, err := c.detector(ctx, part, cursor)
	if err != nil {
		d.counts = detected{}
		return err
	}
	defer stop()
	*d = *merged
	d.last, d.sourceGap, d.destinationGap = before.last, before.sourceGap, before.destinationGap
	published := int64(0)
	publish := func() {
		c.progress.listed.Add(d.counts.listed - published)
		published = d.counts.listed
	}
	d.tick = func() {
		publish()
		c.emit(Event{Type: EventProgress})
	}
	defer publish()
	if err := d.start(); err != nil {
		return err
	}
	if err := visit(ctx, d); err != nil {
		return err
	}
	return ctx.Err()
}
