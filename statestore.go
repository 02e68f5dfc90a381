package replication

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/local"
	"github.com/objrepl/replication/backend/memory"
	"github.com/objrepl/replication/internal/ledger"
)

// A policyState is what a policy's passes remember: the ledger, doubt, journals
// of uploads, dead letters and status, as objects under a prefix of a backend.
// That is the policy's own directory, or a place that several machines share
// (WithStateBackend). What a pass needs for itself alone stays on its machine.
type policyState struct {
	backend.Backend
	prefix string // empty, or ends in a slash
	shown  string // the place, for messages
	// lost: so is the lease, and nothing here is the caller's to change any more,
	// also where it goes on after a stop.
	lost atomic.Bool
}

// maxStateObject bounds what read takes into memory.
const maxStateObject = 64 << 20

// openPolicyState opens a policy's state for a pass or a change of the policy,
// whose lock the caller holds. dir is the policy's directory.
func (r *Replicator) openPolicyState(ctx context.Context, id, dir string) (*policyState, error) {
	if r.config.state != nil {
		s, err := r.sharedState(ctx, id)
		if err == nil {
			if err = r.keepsApart(ctx, s); err != nil {
				err = errors.Join(err, s.Close())
			}
		}
		return s, err
	}
	return localState(ctx, dir, backend.Settings{"create": "true", "durability": r.durability})
}

// validateStateBackend finds faults in the settings without opening the store.
func (r *Replicator) validateStateBackend() error {
	s := r.config.state
	if s == nil {
		return nil
	}
	schema, base, ok := r.registry.resolve(s.backend)
	if !ok {
		return fmt.Errorf("WithStateBackend: %w", unknownBackend(s.backend, r.registry.names()))
	}
	merged := maps.Clone(base)
	if merged == nil {
		merged = map[string]string{}
	}
	maps.Copy(merged, s.settings)
	if err := schema.Validate(merged); err != nil {
		return fmt.Errorf("WithStateBackend: backend %q: %w", s.backend, err)
	}
	return nil
}

// recall gives f a policy of the store or the policy file, and what its passes
// remember, to look at. A policy that Sync was given and nobody stored is known
// by its passes: of it f is given no more than the id.
func (r *Replicator) recall(ctx context.Context, id string, f func(Policy, *policyState) error) error {
	leave, err := r.enter()
	if err != nil {
		return err
	}
	defer leave()
	p, unknown := r.Policy(id)
	if unknown != nil && !errors.Is(unknown, ErrPolicyNotFound) {
		return unknown
	}
	state, err := r.readPolicyState(ctx, id)
	if err != nil {
		return errors.Join(unknown, err)
	}
	if unknown != nil {
		p = Policy{ID: id}
		if s, err := readStatus(ctx, state); err != nil || s.Passes == 0 {
			return errors.Join(unknown, err, state.Close())
		}
	}
	return errors.Join(f(p, state), state.Close())
}

// readPolicyState opens a policy's state to look at, without a lock and without
// making anything. A policy that never ran has an empty one.
func (r *Replicator) readPolicyState(ctx context.Context, id string) (*policyState, error) {
	s, err := r.lookAtState(ctx, id)
	if err == nil {
		s.Backend = &readOnly{Backend: s.Backend}
	}
	return s, err
}

func (r *Replicator) lookAtState(ctx context.Context, id string) (*policyState, error) {
	if r.config.state != nil {
		return r.sharedState(ctx, id)
	}
	dir := filepath.Join(r.state.Name(), filepath.FromSlash(policyDir(id)))
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return &policyState{Backend: memory.NewBackend(), shown: dir}, nil
	}
	return localState(ctx, dir, backend.Settings{"create": "false"})
}

func localState(ctx context.Context, dir string, settings backend.Settings) (*policyState, error) {
	settings["path"], settings["symlinks"], settings["mode"] = dir, "skip", "ignore"
	b, err := local.Driver.Open(ctx, settings)
	if err != nil {
		return nil, fmt.Errorf("open state: %w", err)
	}
	return &policyState{Backend: b, shown: dir}, nil
}

// sharedState opens a policy's state in the state backend.
func (r *Replicator) sharedState(ctx context.Context, id string) (*policyState, error) {
	b, err := r.registry.open(ctx, r.config.state.backend, r.config.state.settings)
	if err != nil {
		return nil, fmt.Errorf("state backend: %w", err)
	}
	prefix := r.config.state.prefix + policyDir(id) + "/"
	return &policyState{
		Backend: &persistent{Backend: b, again: r.again},
		prefix:  prefix,
		shown:   strings.TrimSuffix(b.Properties().Location, "/") + "/" + prefix,
	}, nil
}

// keepsApart refuses a store that does not hold writes on a condition, which is
// what keeps writers apart. One whose servers differ is asked, as a pass asks a
// destination; one that cannot be asked now is not said to be of the wrong kind.
func (r *Replicator) keepsApart(ctx context.Context, s *policyState) error {
	e := newEndpoint(s.Backend, "state backend", r.config.state.backend, s.prefix)
	g := newGuards(e, r.state, retrier{attempts: 1}, r.config.logger) // s itself is persistent
	c, err := g.mustObjects(ctx)
	switch put := c.put; {
	case err != nil:
		return fmt.Errorf("state backend %q: ask whether it holds writes on a condition: %w", r.config.state.backend, err)
	case put.Absent == answerHonoured && put.Match == answerHonoured:
		return nil
	}
	return fmt.Errorf("state backend %q: it does not hold writes on a condition, which keeps writers apart; choose another store: %w",
		r.config.state.backend, errors.ErrUnsupported)
}

// wrap says which place an error comes from.
func (s *policyState) wrap(op, name string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s %s of the policy's state in %s: %w", op, name, s.shown, err)
}

// read returns an object and its tag; one that is not there is fs.ErrNotExist.
func (s *policyState) read(ctx context.Context, name string) ([]byte, backend.Tag, error) {
	object, r, err := s.Open(ctx, s.prefix+name, backend.OpenOptions{})
	if absent(err) {
		return nil, "", fs.ErrNotExist
	}
	if err != nil {
		return nil, "", s.wrap("read", name, err)
	}
	data, err := io.ReadAll(io.LimitReader(r, maxStateObject+1))
	if err = errors.Join(err, r.Close()); err == nil && len(data) > maxStateObject {
		err = fmt.Errorf("it has more than %d bytes, and is none of this library's", maxStateObject)
	}
	return data, object.Tag, s.wrap("read", name, err)
}

// write replaces an object whole, and durably.
func (s *policyState) write(ctx context.Context, name string, data []byte) error {
	if s.lost.Load() {
		return s.wrap("write", name, errLeaseLost)
	}
	_, err := s.Put(ctx, s.prefix+name, backend.Bytes(data), backend.PutOptions{})
	return s.wrap("write", name, err)
}

// exists reports whether there is such an object.
func (s *policyState) exists(ctx context.Context, name string) (bool, error) {
	_, err := s.Stat(ctx, s.prefix+name)
	if absent(err) {
		return false, nil
	}
	return err == nil, s.wrap("look for", name, err)
}

// remove deletes an object if it is there.
func (s *policyState) remove(ctx context.Context, name string) error {
	if s.lost.Load() {
		return s.wrap("remove", name, errLeaseLost)
	}
	err := s.Delete(ctx, s.prefix+name, backend.DeleteOptions{})
	if absent(err) {
		return nil
	}
	return s.wrap("remove", name, err)
}

// list returns the objects whose names begin with dir, named without the
// state's prefix.
func (s *policyState) list(ctx context.Context, dir string) ([]backend.Object, error) {
	var out []backend.Object
	for page, err := range s.List(ctx, backend.ListOptions{Prefix: s.prefix + dir}) {
		if errors.Is(err, backend.ErrStoreNotFound) && s.prefix == "" {
			return nil, nil // a directory that is not made yet
		}
		if err != nil {
			return nil, s.wrap("list", dir, err)
		}
		for _, o := range page {
			o.Key = strings.TrimPrefix(o.Key, s.prefix)
			out = append(out, o)
		}
	}
	return out, nil
}

// clear removes everything but the lease, which is the caller's to release.
func (s *policyState) clear(ctx context.Context) error {
	all, err := s.list(ctx, "")
	if err != nil {
		return err
	}
	var errs []error
	for _, o := range all {
		if o.Key != leaseName {
			errs = append(errs, s.remove(ctx, o.Key))
		}
	}
	return errors.Join(errs...)
}

// ledgerOptions say where the ledger lives. scratch is a directory on this
// machine, empty for one that is only read.
func (s *policyState) ledgerOptions(scratch string) ledger.Options {
	return ledger.Options{Backend: s.Backend, Prefix: s.prefix + ledgerDir + "/", Scratch: scratch}
}
