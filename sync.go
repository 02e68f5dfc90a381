package replication

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"time"

	"golang.org/x/time/rate"
)

// A SyncOption changes one pass.
type SyncOption func(*syncOptions)

type syncOptions struct {
	forceDeletes bool
	replay       bool
}

// ForceDeletes lets one pass delete past the brake, and with an empty source.
func ForceDeletes() SyncOption { return func(o *syncOptions) { o.forceDeletes = true } }

// SyncPolicy runs one pass of a policy, enabled or not. The result says what
// was done, also beside an error: ErrObjectsFailed if the pass went through
// but objects failed, ErrBrake or ErrEmptySource if deletions were held back,
// ErrLocked if the policy runs elsewhere, or why the pass ended early. What
// was copied by then is kept and not copied again.
func (r *Replicator) SyncPolicy(ctx context.Context, id string, opts ...SyncOption) (SyncResult, error) {
	p, err := r.Policy(id)
	if err != nil {
		return SyncResult{PolicyID: id}, err
	}
	return r.Sync(ctx, p, opts...)
}

// Sync runs one pass of a policy that is not stored; see SyncPolicy. Its
// ledger, lock and status live under its id like those of a stored one; Status,
// History and Failures know it by that id once a pass has ended.
func (r *Replicator) Sync(ctx context.Context, p Policy, opts ...SyncOption) (SyncResult, error) {
	result := SyncResult{PolicyID: p.ID}
	leave, err := r.enter()
	if err != nil {
		return result, err
	}
	defer leave()
	if err := r.validate(p); err != nil {
		return result, err
	}
	if err := encryptionAvailable(p); err != nil {
		return result, err
	}
	var options syncOptions
	for _, opt := range opts {
		opt(&options)
	}
	err = r.hold(ctx, p.ID, func(ctx context.Context, dir string, state *policyState) (err error) {
		result, err = r.held(ctx, p, options, dir, state)
		return err
	})
	return result, err
}

// held runs the pass and remembers what came of it.
func (r *Replicator) held(ctx context.Context, p Policy, options syncOptions, dir string, state *policyState) (SyncResult, error) {
	status, err := readStatus(ctx, state)
	if err != nil {
		return SyncResult{PolicyID: p.ID}, err
	}
	if err := r.record(ctx, AuditRecord{Action: AuditPassStarted, PolicyID: p.ID}); err != nil {
		return SyncResult{PolicyID: p.ID}, err
	}
	r.observe(Event{Type: EventStarted, Task: TaskSync, PolicyID: p.ID})
	started := time.Now()
	result, progress, weaker, err := r.pass(ctx, p, options, dir, state, &status)
	result.Duration = time.Since(started)

	outcome := fmt.Sprintf("synced %d, adopted %d, deleted %d, failed %d", result.Synced, result.Adopted, result.Deleted, result.Failed)
	if err != nil {
		outcome = err.Error()
	}
	err = errors.Join(err, r.record(ctx, AuditRecord{Action: AuditPassFinished, PolicyID: p.ID, Outcome: outcome}))
	status.add(result, err, weaker)
	if !state.lost.Load() {
		kept := context.WithoutCancel(ctx)
		err = errors.Join(err, writeStatus(kept, state, status), remember(kept, state, passRecord(ctx, started, options, result, err)))
	}
	r.observe(Event{Type: EventFinished, Task: TaskSync, PolicyID: p.ID, Err: err, Progress: progress})
	return result, err
}

// pass opens both sides and runs one pass between them. It notes in the status
// where the destination is.
func (r *Replicator) pass(ctx context.Context, p Policy, options syncOptions, dir string, state *policyState, status *statusFile) (result SyncResult, progress Progress, weaker []string, err error) {
	fail := func(err error) (SyncResult, Progress, []string, error) {
		return SyncResult{PolicyID: p.ID}, progress, weaker, fmt.Errorf("policy %q: %w", p.ID, err)
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
	if !p.carriesMore() {
		destination.copyFrom(source)
	}
	guards := newGuards(destination, r.state, r.again, r.config.logger)
	defer func() {
		known, _ := guards.remembered()
		weaker = destination.weaker(known)
	}()
	if err := r.checkApart(p, source, destination, state); err != nil {
		return fail(err)
	}
	ledger, err := r.takeLedger(ctx, p.ID, state, dir)
	if err != nil {
		return fail(err)
	}
	pass, err := r.newPass(ctx, p, options, source, destination, state, dir)
	if err != nil {
		return fail(err)
	}
	pass.ledger, pass.guards = ledger, guards
	if pass.failures, err = newFailures(filepath.Join(dir, failuresName)); err != nil {
		return fail(err)
	}
	dead, err := readDead(ctx, state)
	if err != nil {
		return fail(err)
	}
	pass.dead = newDeadLetters(maps.Clone(dead))
	pass.lastSeen = status.Destination
	result, err = pass.run(ctx)
	if pass.complete {
		status.Destination = pass.at
	}
	if !state.lost.Load() {
		err = errors.Join(err, writeDead(context.WithoutCancel(ctx), state, dead, pass.dead.remaining(pass.complete)))
	}
	return result, pass.progress.snapshot(), weaker, err
}

func (r *Replicator) openEndpoint(ctx context.Context, role, name string, settings map[string]string, prefix string) (*endpoint, error) {
	b, err := r.registry.open(ctx, name, settings)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", role, err)
	}
	e := newEndpoint(b, role, name, prefix)
	if err := e.checkUsable(); err != nil {
		return nil, errors.Join(err, b.Close())
	}
	return e, nil
}

// newPass makes a pass that still lacks its ledger and, if it is to change
// anything, its failures. It touches neither store.
func (r *Replicator) newPass(ctx context.Context, p Policy, options syncOptions, source, destination *endpoint, state *policyState, dir string) (*pass, error) {
	wanted, err := compileFilter(p.Include, p.Exclude)
	if err != nil {
		return nil, err
	}
	accept := func(key string) bool { return !isProbe(key) && wanted(key) }
	if err := p.checkTrash(source, destination); err != nil {
		return nil, err
	}
	destination.trash = p.TrashPrefix
	brake, err := parseBrake(p.MaxDelete)
	if err != nil {
		return nil, err
	}
	pass := &pass{
		task: TaskSync, policy: p, options: options, source: source, destination: destination,
		again: r.again, workers: r.config.concurrency, shards: r.shards, accept: accept, brake: brake,
		log: r.config.logger, audit: r.config.audit, observe: r.config.observer,
		dir: dir, state: state, operation: rand.Text()[:12],
	}
	if pass.doubt, err = newDoubt(ctx, state); err != nil {
		return nil, err
	}
	intents, err := openIntents(ctx, state, destination.props.Location, pass.doubt.look.Load())
	if err != nil {
		return nil, err
	}
	pass.within = newWithin(destination, intents)
	pass.outage = newOutage(p.ID, r.config.patience, r.config.logger, source, destination)
	if p.Concurrency > 0 {
		pass.workers = p.Concurrency
	}
	pass.reader = &sourceReader{
		endpoint: source, memory: r.memory,
		moved: pass.moved,
	}
	if pass.carrier, err = pass.newCarrier(); err != nil {
		return nil, err
	}
	pass.parts = r.newPartsConfig(destination, state, pass.workers)
	pass.batching = r.batching
	if p.Bandwidth > 0 {
		pass.reader.limit = rate.NewLimiter(rate.Limit(p.Bandwidth), int(min(max(p.Bandwidth/10, 4<<10), 1<<20)))
	}
	if pass.kernelCopies() {
		pass.reader.kernelFrom = r.config.partsFrom
	}
	return pass, nil
}

// SyncAll runs one pass of every enabled policy, one after the other, and
// returns the sums under the PolicyID "all". One policy's failure does not
// keep the others from running; the error joins them all.
func (r *Replicator) SyncAll(ctx context.Context, opts ...SyncOption) (SyncResult, error) {
	total := SyncResult{PolicyID: reservedID}
	policies, err := r.Policies()
	if err != nil {
		return total, err
	}
	var errs []error
	started := time.Now()
	for _, p := range policies {
		if !p.Enabled {
			continue
		}
		if err := ctx.Err(); err != nil {
			errs = append(errs, err)
			break
		}
		res, err := r.Sync(ctx, p, opts...)
		errs = append(errs, err)
		total.add(res)
	}
	total.Duration = time.Since(started)
	return total, errors.Join(errs...)
}

// Status returns what is remembered of a policy's passes. Of one that is not
// stored (see Sync) it does not know the backends, nor whether it is enabled.
func (r *Replicator) Status(ctx context.Context, id string) (out Status, err error) {
	err = r.recall(ctx, id, func(p Policy, state *policyState) error {
		s, err := readStatus(ctx, state)
		if err != nil {
			return err
		}
		letters, err := readDead(ctx, state)
		out = s.status(p)
		out.DeadLetters = len(letters)
		return err
	})
	return out, err
}

func (r *Replicator) record(ctx context.Context, a AuditRecord) error {
	if r.config.audit == nil {
		return nil
	}
	a.Time = time.Now()
	if err := r.config.audit.Record(context.WithoutCancel(ctx), a); err != nil {
		return fmt.Errorf("audit log: %w", err)
	}
	return nil
}

func (r *Replicator) observe(e Event) {
	if r.config.observer != nil {
		r.config.observer(e)
	}
}
