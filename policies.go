package replication

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

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
