package replication

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/internal/ledger"
)

// A pass is one full scan of a policy's source against its destination. It
// holds the policy's lock.
type pass struct {
	task        Task
	policy      Policy
	options     syncOptions
	source      *endpoint
	destination *endpoint
	reader      *sourceReader
	again       retrier
	workers     int
	shards      int // wanted at most
	accept      func(key string) bool
	brake       brake
	log         *slog.Logger
	audit       AuditLog
	observe     func(Event)

	dir      string // the policy's own, in the state directory
	state    *policyState
	ledger   *ledger.Ledger
	pool     *pool
	failures *failures
	dead     *deadLetters
	complete bool // every object was seen; of a replay, every one that it is for
	progress counters
	outage   *outage
	doubt    *doubt
	listing  atomic.Int64 // shards that are still being listed
	full     atomic.Int64 // objects in a row that found the store full
	parts    partsConfig
	guards   *guards
	carrier  *carrier
	within   *withinStore
	batching batching
	started  time.Time
	at       whereabouts // of the destination
	lastSeen whereabouts // of the destination, when a pass last saw it
	trash    *trash      // nil where what is deleted is gone; set before the deletions

	operation  string        // begins the names of this pass's writes
	operations atomic.Int64  // numbers them
	result     atomicResults // what the workers did
	stop       context.CancelCauseFunc
}

// atomicResults are the numbers of a SyncResult as the workers count them.
type atomicResults struct {
	synced, adopted, deleted, unchanged, special, bytes, inStore atomic.Int64
}

// nextOperation names one write, so that it can be recognised.
func (p *pass) nextOperation() string {
	return p.operation + "." + strconv.FormatInt(p.operations.Add(1), 36)
}

// run does the pass. The result is true whatever the error.
func (p *pass) run(ctx context.Context) (SyncResult, error) {
	p.started = time.Now()
	ctx, p.stop = context.WithCancelCause(ctx)
	defer p.stop(nil)
	p.pool = newPool(p.workers)
	defer p.pool.close()

	err := p.sweep(ctx)
	if err == nil {
		err = p.scan(ctx)
	}
	if p.complete { // also where deletions were held back
		p.sweepUploads(ctx)
	}
	if err := p.guards.sweep(ctx); err != nil {
		p.log.Warn("could not remove what a probe that was cut short has left", "policy", p.policy.ID, "error", err)
	}
	if cause := context.Cause(ctx); cause != nil {
		err = cause // what stopped the pass, not the cancelled calls it left
	}
	err = errors.Join(err, p.failures.close())
	return p.finish(err)
}

func (p *pass) finish(err error) (SyncResult, error) {
	r := SyncResult{
		PolicyID:     p.policy.ID,
		Synced:       p.result.synced.Load(),
		Adopted:      p.result.adopted.Load(),
		Deleted:      p.result.deleted.Load(),
		Failed:       p.failures.count(),
		Special:      p.result.special.Load(),
		BytesTotal:   p.result.bytes.Load(),
		BytesInStore: p.result.inStore.Load(),
		Duration:     time.Since(p.started),
	}
	r.Skipped = p.result.unchanged.Load() + r.Special
	r.Errors, r.FailuresFile = p.failures.summary()
	if err == nil && r.Failed > 0 {
		err = fmt.Errorf("%w: %d, the first is %q: %w", ErrObjectsFailed, r.Failed, r.Errors[0].Key, r.Errors[0].Err)
	}
	if err != nil {
		err = fmt.Errorf("policy %q: %w", p.policy.ID, err)
	}
	return r, err
}

// sweep removes what an earlier, interrupted pass left half written.
func (p *pass) sweep(ctx context.Context) error {
	sweeper, ok := backend.As[backend.Sweeper](p.destination.Backend)
	if !ok {
		return nil
	}
	n, err := sweeper.Sweep(ctx, time.Now().Add(-sweepAge))
	if n > 0 {
		p.log.Info("swept leftovers of interrupted writes", "policy", p.policy.ID, "count", n)
	}
	if err != nil && !errors.Is(err, backend.ErrStoreNotFound) {
		p.log.Warn("could not sweep leftovers of interrupted writes", "policy", p.policy.ID, "error", err)
	}
	return nil
}

// sweepAge keeps a sweep away from what other policies are writing now.
const sweepAge = 24 * time.Hour

// scan merges what both sides have, copies, and then deletes.
func (p *pass) scan(ctx context.Context) (err error) {
	seen, err := p.scanShards(ctx)
	defer func() { err = errors.Join(err, seen.close()) }()
	if err != nil {
		return p.explainMissing(ctx, err)
	}
	p.complete = true
	err = p.deleteAll(ctx, seen)
	held := errors.Is(err, ErrBrake) || errors.Is(err, ErrEmptySource)
	if held && p.within.intents.any() {
		p.doubt.stays.Store(true) // what they prove is needed when the deletions go on
	}
	if ctx.Err() == nil && (err == nil || held) {
		err = errors.Join(err, p.settleDoubt(ctx))
	}
	if err != nil {
		return err
	}
	return p.compact(ctx)
}

// deleteAll carries out what the shards kept, if that is not too much.
func (p *pass) deleteAll(ctx context.Context, seen *scanned) error {
	deletes := seen.deletes()
	if deletes == 0 {
		return nil
	}
	if p.options.replay {
		if err := p.takeStock(ctx, seen); err != nil {
			return err
		}
	}
	if err := p.mayDelete(seen, deletes); err != nil {
		return err
	}
	if err := p.openTrash(ctx); err != nil {
		return err
	}
	failures := p.failures.count()
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(lanes)
	for _, d := range seen.deletions {
		if d.count > 0 {
			group.Go(func() error { return p.deleteKept(groupCtx, d) })
		}
	}
	err := group.Wait()
	if err == nil && ctx.Err() == nil && p.failures.count() == failures {
		err = p.closeTrash(ctx)
	}
	return err
}

// compact keeps the ledger quick to read. A damaged part that only this finds
// is left to the next pass to drop.
func (p *pass) compact(ctx context.Context) error {
	err := p.ledger.Compact(ctx)
	if errors.Is(err, ledger.ErrDamaged) {
		return p.dropDamaged(ctx, err)
	}
	return err
}

// scratch names a file of the pass's own.
func (p *pass) scratch(name string) string { return filepath.Join(p.dir, name) }

// work settles one decision. What was adopted stays so when a newer version
// replaces it: the policy never made the object, and does not delete it.
func (p *pass) work(ctx context.Context, d decision) outcome {
	out := p.act(ctx, d)
	if written := out.kind == outcomeSynced || out.kind == outcomeFailed && out.entry != nil; written && d.hasDestination && d.known && d.entry.Adopted {
		out.entry.Adopted = true
	}
	return out
}

func (p *pass) act(ctx context.Context, d decision) outcome {
	switch d.verdict {
	case verdictCopy, verdictRehash:
		if d.inStore && !p.within.refused.Load() {
			return p.copyInStore(ctx, d)
		}
	}
	switch d.verdict {
	case verdictCopy:
		return p.copy(ctx, d.key, d.source, expected(d.destination), d.known)
	case verdictUnknown:
		return p.resolve(ctx, d)
	case verdictRehash:
		return p.rehash(ctx, d)
	case verdictForget:
		return outcome{forget: true}
	case verdictClaim:
		return p.claim(ctx, d)
	case verdictProblem:
		if errors.Is(d.source.Problem, backend.ErrNotRegular) {
			return outcome{kind: outcomeSpecial}
		}
		return failed(p.source.wrap(d.source.Problem))
	}
	return failed(fmt.Errorf("no work for verdict %d", d.verdict))
}

// expected is the condition of a write in the place of what was listed.
func expected(destination backend.Object) backend.Condition {
	if destination.Tag == "" {
		return backend.Condition{Absent: true}
	}
	return backend.Condition{Match: destination.Tag}
}

// defaultBrakeText is how defaultBrake reads to a person.
const defaultBrakeText = "25% and 100 objects"

// mayDelete holds deletions against the empty-source rule and the brake.
func (p *pass) mayDelete(seen *scanned, deletes int64) error {
	switch {
	case p.options.forceDeletes:
		return nil
	case seen.listed == 0:
		return fmt.Errorf("%w, and %d objects at the destination would be deleted; if that is meant, force the deletions", ErrEmptySource, deletes)
	case p.brake.stops(deletes, seen.known):
		return fmt.Errorf("%w: %d of %d objects would be deleted, more than max_delete %q allows; if that is meant, force the deletions or raise max_delete",
			ErrBrake, deletes, seen.known, cmp.Or(p.policy.MaxDelete, defaultBrakeText))
	}
	return nil
}

// deleteDecisions turns kept deletions back into decisions.
func deleteDecisions(deletions *deletions) iter.Seq[decision] {
	return func(yield func(decision) bool) {
		for k := range deletions.replay() {
			d := decision{verdict: verdictDelete, key: k.Key}
			d.destination.Tag = backend.Tag(k.Tag)
			d.entry.DestinationTag = k.LedgerTag
			if !yield(d) {
				return
			}
		}
	}
}
