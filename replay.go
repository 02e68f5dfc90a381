package replication

import (
	"context"
	"errors"
	"io"
	"maps"
	"slices"

	"github.com/objrepl/replication/backend"
)

// Failures returns the dead letters of a policy, by key: objects that its
// passes have failed at and not yet brought up to date, at most 10,000. The
// file SyncResult.FailuresFile lists all that the last pass failed at.
func (r *Replicator) Failures(ctx context.Context, id string) (out []DeadLetter, err error) {
	err = r.recall(ctx, id, func(_ Policy, state *policyState) error {
		letters, err := readDead(ctx, state)
		out = make([]DeadLetter, 0, len(letters))
		for _, key := range slices.Sorted(maps.Keys(letters)) {
			out = append(out, letters[key])
		}
		return err
	})
	return out, err
}

// Replay tries the dead letters of a policy again, and nothing else: it asks
// for each of them at both sides instead of listing. It deletes nothing; that
// is left to passes, which see everything. Results and errors are those of
// SyncPolicy.
func (r *Replicator) Replay(ctx context.Context, id string) (SyncResult, error) {
	p, err := r.Policy(id)
	if err != nil {
		return SyncResult{PolicyID: id}, err
	}
	return r.ReplayOf(ctx, p)
}

// ReplayOf is Replay for a policy that need not be stored.
func (r *Replicator) ReplayOf(ctx context.Context, p Policy) (SyncResult, error) {
	return r.Sync(ctx, p, func(o *syncOptions) { o.replay = true })
}

// replay is a scan of the dead letters alone.
func (p *pass) replay(ctx context.Context) error {
	var keys []string
	for _, key := range slices.Sorted(maps.Keys(p.dead.old)) {
		relative, ok := p.source.relative(key)
		if ok && p.accept(relative) {
			keys = append(keys, relative)
		} else {
			p.dead.settled(key) // the policy no longer wants it
		}
	}
	if len(keys) == 0 {
		return nil
	}
	cursor, err := p.ledger.Read(ctx, "", keys[len(keys)-1])
	if err != nil {
		return err
	}
	defer cursor.Close()
	wanted := make(map[string]bool, len(keys))
	for _, key := range keys {
		wanted[key] = true
	}
	d := newDetector(ctx, &asker{pass: p, endpoint: p.source, keys: keys},
		&asker{pass: p, endpoint: p.destination, keys: keys}, cursor,
		func(key string) bool { return wanted[key] })
	d.tick = func() {}
	keep := p.checkpoints()
	var scanErr error
	p.pool.run(ctx, window, func(yield func(decision) bool) {
		scanErr = p.detect(d, nil, func(dec decision) bool { return yield(dec) })
	}, func(dec decision) outcome {
		return p.finishOne(ctx, dec, p.settle(ctx, func() outcome { return p.work(ctx, dec) }))
	}, func(dec decision, out outcome) { keep.collect(ctx, dec, out) })
	return errors.Join(scanErr, keep.close(ctx))
}

// An asker is a listing of known keys, made by asking for each.
type asker struct {
	pass     *pass
	endpoint *endpoint
	keys     []string
}

func (a *asker) read(ctx context.Context) (*backend.Object, string, error) {
	for len(a.keys) > 0 {
		key := a.keys[0]
		a.keys = a.keys[1:]
		if a.endpoint.hides(a.endpoint.key(key)) {
			continue
		}
		var o backend.Object
		err := a.pass.again.call(ctx, func() (err error) {
			o, err = a.endpoint.Stat(ctx, a.endpoint.key(key))
			return err
		})
		switch {
		case err == nil:
			return &o, key, nil
		case absent(err):
			continue
		case errors.Is(err, backend.ErrNotRegular), backend.Definite(err):
			return &backend.Object{Key: a.endpoint.key(key), Problem: err}, key, nil
		default:
			return nil, "", a.endpoint.wrap(err)
		}
	}
	return nil, "", io.EOF
}
