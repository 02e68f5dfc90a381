package replication

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
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
