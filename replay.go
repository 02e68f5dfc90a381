package replication

import (
	"context"
	"errors"
	"io"
	"maps"
	"slices"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/internal/ledger"
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

// Replay tries the dead letters of a policy again, and nothing else. It is a pass
// over these alone, under the same rules: what is gone from the source is deleted,
// within the brake, and none of it where the source has no object at all. A
// directory that could not be listed is left to the next pass. Results and errors
// are those of SyncPolicy.
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

// lettersAtOnce is how many dead letters are asked for together.
const lettersAtOnce = 1000

// deadShards are the dead letters that the policy still wants and that can be asked
// for by their keys.
func (p *pass) deadShards() []shard {
	var keys []string
	for _, key := range slices.Sorted(maps.Keys(p.dead.old)) {
		relative, ok := p.source.relative(key)
		switch {
		case ok && p.source.refuse(relative) != nil:
			p.dead.waits(key) // a directory, which takes a listing
		case ok && p.accept(relative):
			keys = append(keys, relative)
		default:
			p.dead.settled(key)
		}
	}
	var shards []shard
	after := ""
	for keys := range slices.Chunk(keys, lettersAtOnce) {
		last := keys[len(keys)-1]
		shards = append(shards, shard{max(after, below(keys[0])), last, keys})
		after = last
	}
	return shards
}

// ask makes a detector of what both sides answer for some keys.
func (p *pass) ask(ctx context.Context, keys []string, cursor *ledger.Cursor) (*detector, error) {
	source, err := p.askOne(ctx, p.source, keys)
	if err != nil {
		return nil, err
	}
	destination, err := p.askOne(ctx, p.destination, keys)
	if err != nil {
		return nil, err
	}
	return newDetector(ctx, source, destination, cursor, func(key string) bool {
		_, asked := slices.BinarySearch(keys, key)
		return asked
	}), nil
}

// askOne asks one side for keys, through an outage if need be.
func (p *pass) askOne(ctx context.Context, e *endpoint, keys []string) (*asked, error) {
	keys = slices.DeleteFunc(slices.Clone(keys), func(key string) bool { return e.hides(e.key(key)) })
	for {
		since := p.outage.recoveries.Load()
		there, err := p.look(ctx, e, keys)
		if err == nil {
			return &asked{keys, there}, nil
		}
		if !p.outage.waitOut(ctx, since, err) {
			return nil, err
		}
	}
}

// asked is what one side has of the keys that it was asked for: an objectReader.
type asked struct {
	keys  []string
	there []*backend.Object // nil where it has none
}

func (a *asked) read(context.Context) (*backend.Object, string, error) {
	for i, o := range a.there {
		if o != nil {
			key := a.keys[i]
			a.keys, a.there = a.keys[i+1:], a.there[i+1:]
			return o, key, nil
		}
	}
	a.there = nil
	return nil, "", io.EOF
}

// takeStock finds what a pass has to know before it deletes, and a replay has not
// seen: how many objects the policy has, and whether the source has any.
func (p *pass) takeStock(ctx context.Context, seen *scanned) (err error) {
	cursor, err := p.ledger.Read(ctx, "", "")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cursor.Close()) }()
	seen.known = 0
	for {
		entry, err := cursor.Next(ctx)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if p.accept(entry.Key) {
			seen.known++
		}
	}
	source := startLister(ctx, p.source, shard{}, p.again, p.outage)
	defer source.stop()
	for seen.listed == 0 {
		o, key, err := source.read(ctx)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if o.Problem == nil && p.accept(key) {
			seen.listed++
		}
	}
	return nil
}
