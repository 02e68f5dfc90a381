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

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/internal/ledger"
)

// A pass is one full scan of a policy's source against its destination. It
// holds the policy's lock.
type pass struct {
	policy      Policy
	options     syncOptions
	source      *endpoint
	destination *endpoint
	reader      *sourceReader
	again       retrier
	workers     int
	accept      func(key string) bool
	brake       brake
	log         *slog.Logger
	audit       AuditLog
	observe     func(Event)

	dir      string // the policy's own, in the state directory
	ledger   *ledger.Ledger
	update   *ledger.Update // the collecting goroutine's
	failures *failures
	doubt    *doubt
	progress counters
	outage   outage

	operation  string        // begins the names of this pass's writes
	operations atomic.Int64  // numbers them
	result     atomicResults // what the workers did
	stop       context.CancelCauseFunc
}

// atomicResults are the numbers of a SyncResult as the workers count them.
type atomicResults struct {
	synced, adopted, deleted, unchanged, special, bytes atomic.Int64
}

// nextOperation names one write, so that it can be recognised.
func (p *pass) nextOperation() string {
	return p.operation + "." + strconv.FormatInt(p.operations.Add(1), 36)
}

// run does the pass. The result is true whatever the error.
func (p *pass) run(ctx context.Context) (SyncResult, error) {
	started := time.Now()
	ctx, p.stop = context.WithCancelCause(ctx)
	defer p.stop(nil)

	err := p.sweep(ctx)
	if err == nil {
		err = p.scan(ctx)
	}
	if cause := context.Cause(ctx); cause != nil {
		err = cause // what stopped the pass, not the cancelled calls it left
	}
	err = errors.Join(err, p.failures.close())
	return p.finish(started, err)
}

func (p *pass) finish(started time.Time, err error) (SyncResult, error) {
	r := SyncResult{
		PolicyID:   p.policy.ID,
		Synced:     p.result.synced.Load(),
		Adopted:    p.result.adopted.Load(),
		Deleted:    p.result.deleted.Load(),
		Failed:     p.failures.count(),
		Special:    p.result.special.Load(),
		BytesTotal: p.result.bytes.Load(),
		Duration:   time.Since(started),
	}
	r.Skipped = p.result.unchanged.Load() + r.Special
	r.Errors, r.FailuresFile = p.failures.summary()
	if err == nil && r.Failed > 0 {
		err = fmt.Errorf("%w: %d, the first is %w", ErrObjectsFailed, r.Failed, r.Errors[0].Err)
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

// scan merges the listings, copies, and then deletes.
func (p *pass) scan(ctx context.Context) (err error) {
	p.update = p.ledger.Begin()
	defer func() {
		// What was acknowledged is kept, also of a pass that failed.
		commit := p.update.Commit()
		if errors.Is(commit, ledger.ErrDamaged) {
			commit = errors.Join(commit, p.setAside())
		}
		err = errors.Join(err, commit)
		if commit == nil && ctx.Err() == nil {
			err = errors.Join(err, p.doubt.settle())
		}
	}()
	deletions := &deletions{path: filepath.Join(p.dir, "deletions.tmp")}
	defer func() { err = errors.Join(err, deletions.close()) }()

	seen, err := p.copyAll(ctx, deletions)
	if err != nil {
		if errors.Is(err, ledger.ErrDamaged) {
			err = errors.Join(err, p.setAside())
		}
		return err
	}
	if deletions.count == 0 {
		return nil
	}
	if err := p.mayDelete(seen, deletions.count); err != nil {
		return err
	}
	pipeline(ctx, p.workers, p.deleteDecisions(deletions), func(d decision) outcome {
		return p.finishOne(ctx, d, p.remove(ctx, keptDeletion{d.key, string(d.destination.Tag), d.entry.DestinationTag}))
	}, p.collect)
	return deletions.err
}

// defaultBrakeText is how defaultBrake reads to a person.
const defaultBrakeText = "25% and 100 objects"

// scanned is what a complete scan knows.
type scanned struct {
	listed int64 // objects at the source
	known  int64 // entries in the ledger before
}

// copyAll brings the destination up to date with what the source has, and
// keeps for later what it has no more. A nil error means that both listings
// were complete.
func (p *pass) copyAll(ctx context.Context, deletions *deletions) (scanned, error) {
	cursor, err := p.openCursor()
	if err != nil {
		p.doubt.stays.Store(true)
		return scanned{}, err
	}
	defer cursor.Close()
	if err := p.prepare(ctx, cursor.Len()); err != nil {
		p.doubt.stays.Store(true)
		return scanned{}, err
	}
	source := startLister(ctx, p.source, p.again)
	defer source.stop()
	destination := startLister(ctx, p.destination, p.again)
	defer destination.stop()

	d := newDetector(source, destination, cursor, p.accept)
	d.doubtful = p.doubt.found
	d.tick = func() { p.publish(d, false) }
	var scanErr error
	decisions := func(yield func(decision) bool) {
		scanErr = p.detect(d, deletions, yield)
	}
	pipeline(ctx, p.workers, decisions, func(dec decision) outcome {
		return p.finishOne(ctx, dec, p.work(ctx, dec))
	}, p.collect)
	p.result.unchanged.Add(d.unchanged)
	if scanErr == nil {
		scanErr = ctx.Err()
	}
	if scanErr != nil || d.destinationGap != "" {
		p.doubt.stays.Store(true)
	}
	return scanned{listed: d.listed, known: cursor.Len()}, scanErr
}

// prepare makes a destination that does not exist yet, for a policy that never
// wrote there. One that it did write to and that is gone is an outage.
func (p *pass) prepare(ctx context.Context, known int64) error {
	creator, ok := backend.As[backend.Creator](p.destination.Backend)
	if !ok || known > 0 {
		return nil
	}
	return p.destination.wrap(creator.Create(ctx))
}

// openCursor reads the ledger. A damaged one is set aside: the pass then
// rebuilds it from what the destination itself says.
func (p *pass) openCursor() (*ledger.Cursor, error) {
	cursor, err := p.ledger.Read()
	if errors.Is(err, ledger.ErrDamaged) {
		if err := p.setAside(); err != nil {
			return nil, err
		}
		return p.ledger.Read()
	}
	return cursor, err
}

func (p *pass) setAside() error {
	if err := p.doubt.raise(); err != nil {
		return err
	}
	name, err := p.ledger.SetAside()
	if err != nil {
		return err
	}
	p.log.Warn("the ledger was damaged and is set aside; a pass rebuilds it without copying what the destination has",
		"policy", p.policy.ID, "file", filepath.Join(p.dir, name))
	return nil
}

// detect feeds the workers, and keeps deletions for later.
func (p *pass) detect(d *detector, deletions *deletions, yield func(decision) bool) error {
	if err := d.start(); err != nil {
		return err
	}
	for {
		dec, ok, err := d.next()
		if err != nil {
			return err
		}
		if !ok {
			p.publish(d, true)
			return nil
		}
		switch dec.verdict {
		case verdictDelete:
			if p.policy.Deletes == KeepDeleted || dec.entry.Adopted {
				continue
			}
			if err := deletions.add(dec); err != nil {
				return err
			}
			continue
		case verdictCopy, verdictUnknown:
			p.progress.plan(dec.source.Size)
		}
		p.progress.listed.Store(d.listed)
		if !yield(dec) {
			return nil // the pass was stopped; its context says why
		}
	}
}

// work settles one decision.
func (p *pass) work(ctx context.Context, d decision) outcome {
	switch d.verdict {
	case verdictCopy:
		expect := backend.Condition{Match: d.destination.Tag}
		if d.destination.Tag == "" {
			expect = backend.Condition{Absent: true}
		}
		return p.copy(ctx, d.key, expect, d.known)
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

// mayDelete holds deletions against the empty-source rule and the brake.
func (p *pass) mayDelete(seen scanned, deletes int64) error {
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
func (p *pass) deleteDecisions(deletions *deletions) iter.Seq[decision] {
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
