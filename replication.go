package replication

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/local"
	"github.com/objrepl/replication/backend/memory"
)

// A Replicator holds policies and runs their passes. It is safe for concurrent
// use.
type Replicator struct {
	config   config
	registry *registry
	state    *os.Root
	store    *policyStore
	file     map[string]Policy // of the policy file; never changed
	memory   *semaphore.Weighted
	again    retrier
	shards   int // of a pass, at most
	batching batching
	late     time.Duration // see unfinished
	// durability of the ledger: "full", but for tests that cut no power.
	durability string

	mu      sync.Mutex // guards the rest
	closed  bool
	running sync.WaitGroup // passes; grows only while not closed
}

// New opens a replicator. It validates every option, opens the state directory
// and loads the policies, and reports all that is wrong at once. It starts no
// goroutine and touches no store. The caller closes it.
func New(opts ...Option) (*Replicator, error) {
	r, err := open(opts)
	if err != nil {
		return nil, fmt.Errorf("replication: %w", err)
	}
	return r, nil
}

func open(opts []Option) (*Replicator, error) {
	c := config{
		backends:    map[string]namedBackend{},
		interval:    defaultInterval,
		logger:      slog.New(slog.DiscardHandler),
		concurrency: defaultConcurrency,
		memory:      defaultMemory,
		patience:    defaultPatience,
		partsFrom:   defaultPartsFrom,
		partSize:    defaultPartSize,
	}
	var errs []error
	for _, opt := range opts {
		errs = append(errs, opt(&c))
	}
	r := &Replicator{config: c, file: map[string]Policy{}, memory: semaphore.NewWeighted(c.memory), again: defaultRetrier, shards: shardsWanted, batching: defaultBatching, late: requestAge, durability: "full"}
	file, err := r.readPolicyFile()
	errs = append(errs, err)
	r.registry, err = newRegistry([]backend.Driver{local.Driver, memory.New()}, c.drivers, r.config.backends)
	errs = append(errs, err)
	for _, p := range file.policies {
		if err := r.validate(p); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", file.place(p.ID), err))
		}
		r.file[p.ID] = p
	}
	errs = append(errs, r.validateStateBackend(), r.openState())
	if err := errors.Join(errs...); err != nil {
		if r.state != nil {
			err = errors.Join(err, r.state.Close())
		}
		return nil, err
	}
	return r, nil
}

// readPolicyFile adds the backends of the policy file to the configuration and
// returns the rest.
func (r *Replicator) readPolicyFile() (policyFile, error) {
	if r.config.policyFile == "" {
		return policyFile{}, nil
	}
	file, err := readPolicyFile(r.config.policyFile)
	if err != nil {
		return policyFile{}, err
	}
	var errs []error
	for name, b := range file.backends {
		if _, taken := r.config.backends[name]; taken {
			errs = append(errs, fmt.Errorf("%s: backend %q is defined by WithBackend too", r.config.policyFile, name))
		}
		r.config.backends[name] = b
	}
	return file, errors.Join(errs...)
}

// openState opens the state directory and the policies in it.
func (r *Replicator) openState() error {
	if r.config.stateDir == "" {
		return errors.New("no state directory; add WithStateDir")
	}
	dir, err := filepath.Abs(r.config.stateDir)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("state directory: %w", err)
	}
	if r.state, err = os.OpenRoot(dir); err != nil {
		return fmt.Errorf("state directory: %w", err)
	}
	if r.store, err = openPolicyStore(r.state, r.registry.isSecret); err != nil {
		return err
	}
	for _, p := range r.store.list() {
		if _, shadowed := r.file[p.ID]; shadowed {
			r.config.logger.Warn("a stored policy is shadowed by one of the policy file", "policy", p.ID, "file", r.config.policyFile)
		}
	}
	return nil
}

// Close waits for passes under way and releases what the replicator holds.
// Every later call fails with ErrClosed.
func (r *Replicator) Close() error {
	r.mu.Lock()
	already := r.closed
	r.closed = true
	r.mu.Unlock()
	if already {
		return nil
	}
	r.running.Wait()
	return r.state.Close()
}

// enter keeps Close waiting until leave is called.
func (r *Replicator) enter() (leave func(), err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, ErrClosed
	}
	r.running.Add(1)
	return r.running.Done, nil
}

func (r *Replicator) validate(p Policy) error {
	return p.validate(r.registry.resolve, r.registry.names())
}

// AddPolicy validates and stores a policy. Adding a policy that is there
// already, equal in every field, does nothing; a different one under the same
// id is ErrPolicyExists. Faults are ErrInvalidPolicy and name every field that
// is wrong; no store is touched.
func (r *Replicator) AddPolicy(ctx context.Context, p Policy) error {
	leave, err := r.enter()
	if err != nil {
		return err
	}
	defer leave()
	if err := r.validate(p); err != nil {
		return err
	}
	if inFile, ok := r.file[p.ID]; ok {
		if inFile.equal(p) {
			return nil
		}
		return fmt.Errorf("%w: %q; it stands in %s", ErrPolicyExists, p.ID, r.config.policyFile)
	}
	added, err := r.store.add(ctx, p)
	if err != nil || !added {
		return err
	}
	return r.recordPolicy(ctx, AuditPolicyAdded, p.ID)
}

// UpdatePolicy replaces a stored policy. A secret setting given as "***" keeps
// its stored value. It fails with ErrPolicyNotFound, ErrPolicyReadOnly or
// ErrInvalidPolicy. A pass under way goes on with what it began with.
func (r *Replicator) UpdatePolicy(ctx context.Context, p Policy) error {
	leave, err := r.enter()
	if err != nil {
		return err
	}
	defer leave()
	if err := r.writable(p.ID); err != nil {
		return err
	}
	if _, err := r.store.update(ctx, p, r.validate); err != nil {
		return err
	}
	return r.recordPolicy(ctx, AuditPolicyUpdated, p.ID)
}

// RemovePolicy removes a stored policy. What it wrote at the destination stays
// there; its ledger and status are removed with it, and its unfinished uploads
// are aborted. Those that cannot be, say since the destination is out of reach,
// the error names, and the log; the policy is removed all the same. A policy that
// runs a pass is ErrLocked.
func (r *Replicator) RemovePolicy(ctx context.Context, id string) error {
	leave, err := r.enter()
	if err != nil {
		return err
	}
	defer leave()
	if err := r.writable(id); err != nil {
		return err
	}
	if err := r.store.load(); err != nil {
		return err
	}
	p, err := r.store.get(id)
	if err != nil {
		return err
	}
	var uploads error
	err = r.hold(ctx, id, func(ctx context.Context, _ string, state *policyState) error {
		uploads = r.abortUploads(ctx, p, state)
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := r.store.remove(ctx, id); err != nil || r.config.state == nil {
			return err
		}
		if err := state.clear(ctx); err != nil {
			return fmt.Errorf("policy %q is removed, but not its state: %w", id, err)
		}
		return nil
	})
	if err != nil {
		return errors.Join(err, uploads)
	}
	if uploads != nil {
		uploads = fmt.Errorf("policy %q is removed, but not all that it had begun: %w", id, uploads)
	}
	if err := r.state.RemoveAll(policyDir(id)); err != nil {
		return errors.Join(uploads, fmt.Errorf("policy %q is removed, but not its directory: %w", id, err))
	}
	return errors.Join(uploads, r.recordPolicy(ctx, AuditPolicyRemoved, id))
}

// writable refuses to change what stands in the policy file.
func (r *Replicator) writable(id string) error {
	if _, ok := r.file[id]; ok {
		return fmt.Errorf("%w: %q; change %s", ErrPolicyReadOnly, id, r.config.policyFile)
	}
	return nil
}

func (r *Replicator) recordPolicy(ctx context.Context, action AuditAction, id string) error {
	if r.config.audit == nil {
		return nil
	}
	return r.record(ctx, AuditRecord{Action: action, PolicyID: id})
}

// Policy returns a policy, secrets included, or ErrPolicyNotFound with a hint
// at the nearest id.
func (r *Replicator) Policy(id string) (Policy, error) {
	leave, err := r.enter()
	if err != nil {
		return Policy{}, err
	}
	defer leave()
	if err := r.store.load(); err != nil {
		return Policy{}, err
	}
	return r.find(id)
}

func (r *Replicator) find(id string) (Policy, error) {
	if p, ok := r.file[id]; ok {
		return p.clone(), nil
	}
	p, err := r.store.get(id)
	if errors.Is(err, ErrPolicyNotFound) {
		var ids []string
		for _, q := range r.all() {
			ids = append(ids, q.ID)
		}
		return Policy{}, policyNotFound(id, ids)
	}
	return p, err
}

// Policies returns all policies by id, secrets included, those of the policy
// file in place of stored ones of the same id.
func (r *Replicator) Policies() ([]Policy, error) {
	leave, err := r.enter()
	if err != nil {
		return nil, err
	}
	defer leave()
	if err := r.store.load(); err != nil {
		return nil, err
	}
	return r.all(), nil
}

func (r *Replicator) all() []Policy {
	var out []Policy
	for _, p := range r.store.list() {
		if _, shadowed := r.file[p.ID]; !shadowed {
			out = append(out, p)
		}
	}
	for _, p := range r.file {
		out = append(out, p.clone())
	}
	slices.SortFunc(out, func(a, b Policy) int { return strings.Compare(a.ID, b.ID) })
	return out
}

// Redacted returns a copy of p with every secret setting replaced by "***".
func (r *Replicator) Redacted(p Policy) Policy {
	out := p.clone()
	out.SourceSettings = r.registry.redact(p.SourceBackend, p.SourceSettings)
	out.DestinationSettings = r.registry.redact(p.DestinationBackend, p.DestinationSettings)
	return out
}

// OpenBackend opens a backend as a policy would: name is a driver's or a named
// backend's, whose settings the given ones override. The caller closes it.
func (r *Replicator) OpenBackend(ctx context.Context, name string, settings map[string]string) (backend.Backend, error) {
	leave, err := r.enter()
	if err != nil {
		return nil, err
	}
	defer leave()
	return r.registry.open(ctx, name, settings)
}
