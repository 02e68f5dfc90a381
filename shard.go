package replication

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/objrepl/replication/internal/ledger"
)

// A shard is a range of relative keys, (after, until]; an empty until is no
// bound. It is the unit of work, of progress and of checkpoints.
type shard struct {
	after, until string
	keys         []string // of a replay: those alone are looked at, in order
}

const (
	// lanes is how many shards are listed and merged at once.
	lanes = 4
	// shardsWanted is a multiple of it, so that uneven shards even out.
	shardsWanted = 4 * lanes

	// A shard commits what it has done to the ledger when so many outcomes or
	// so much time has passed, so that a crash costs the next pass no more.
	checkpointOutcomes = 20_000
	checkpointTime     = 30 * time.Second
)

// shardsBetween makes shards of the keys that divide them.
func shardsBetween(splits []string) []shard {
	var out []shard
	after := ""
	for _, until := range splits {
		if until > after {
			out = append(out, shard{after: after, until: until})
			after = until
		}
	}
	return append(out, shard{after: after})
}

// scanned is what a complete scan knows.
type scanned struct {
	listed    int64 // objects at the source
	known     int64 // objects of the policy before, those that its ledger lacked too
	deletions []*deletions
}

// A shard keeps what the detector finds gone and what is claimed apart, since
// each comes in key order and both together do not.
const (
	keptGone = iota
	keptClaimed
	keptKinds
)

// deletes counts the deletions of all shards.
func (s *scanned) deletes() (n int64) {
	for _, d := range s.deletions {
		n += d.count
	}
	return n
}

func (s *scanned) close() error {
	var errs []error
	for _, d := range s.deletions {
		errs = append(errs, d.close())
	}
	return errors.Join(errs...)
}

// shardsToScan divides what a pass looks at.
func (p *pass) shardsToScan(ctx context.Context) ([]shard, error) {
	if p.options.replay {
		return p.deadShards(), nil
	}
	splits, err := p.split(ctx)
	return shardsBetween(splits), err
}

// scanShards brings the destination up to date with what the source has, and
// keeps for later what it has no more. A nil error means that all listings
// were complete. The caller closes what it returns, also beside an error.
func (p *pass) scanShards(ctx context.Context) (*scanned, error) {
	seen := new(scanned)
	if err := p.prepare(ctx); err != nil {
		return seen, err
	}
	shards, err := p.shardsToScan(ctx)
	if err != nil {
		return seen, err
	}
	counts := make([]detected, len(shards))
	for i := range shards {
		for kind := range keptKinds {
			name := fmt.Sprintf(deletionsName, fmt.Sprintf("%d-%d", i, kind))
			seen.deletions = append(seen.deletions, &deletions{path: p.scratch(name)})
		}
	}
	p.listing.Store(int64(len(shards)))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(lanes)
	for i, part := range shards {
		group.Go(func() error {
			return p.scanShard(ctx, part, window/min(len(shards), lanes), seen.deletions[keptKinds*i:][:keptKinds], &counts[i])
		})
	}
	err = group.Wait()
	for _, c := range counts {
		seen.listed += c.listed
		seen.known += c.known
		p.result.unchanged.Add(c.unchanged)
	}
	return seen, err
}

// scanShard scans one shard, and again after it took damaged parts out of the
// ledger: what was done by then is in the ledger and is not done twice.
func (p *pass) scanShard(ctx context.Context, part shard, ahead int, kept []*deletions, counts *detected) error {
	for {
		err := p.scanShardOnce(ctx, part, ahead, kept, counts)
		if !errors.Is(err, ledger.ErrDamaged) {
			return err
		}
		if dropErr := p.dropDamaged(ctx, err); dropErr != nil {
			return errors.Join(err, dropErr)
		}
		for _, d := range kept {
			if err := d.reset(); err != nil {
				return err
			}
		}
	}
}

func (p *pass) scanShardOnce(ctx context.Context, part shard, ahead int, kept []*deletions, counts *detected) (err error) {
	cursor, err := p.ledger.Read(ctx, part.after, part.until)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cursor.Close()) }()
	d, stop, err := p.detector(ctx, part, cursor)
	if err != nil {
		return err
	}
	defer stop()
	*counts = detected{}
	published := detected{}
	publish := func() {
		p.progress.listed.Add(d.counts.listed - published.listed)
		p.progress.detected.Add(d.counts.unchanged - published.unchanged)
		published = d.counts
	}
	d.tick = func() {
		publish()
		p.emit(Event{Type: EventProgress})
	}
	keep := p.checkpoints()
	var scanErr error
	decisions := func(yield func(decision) bool) {
		intend := p.newIntender(keep, yield)
		tick := d.tick
		d.tick = func() {
			tick()
			intend.flush(ctx) // where little changes, nothing is to wait for long
		}
		scanErr = p.detect(d, kept[keptGone], func(dec decision) bool {
			publish()
			return intend.add(ctx, dec)
		})
		intend.flush(ctx)
		publish()
		if scanErr == nil && p.listing.Add(-1) == 0 {
			p.progress.listingDone.Store(true)
			p.emit(Event{Type: EventProgress})
		}
	}
	found := int64(0)
	p.pool.run(ctx, ahead, decisions, func(dec decision) outcome {
		return p.finishOne(ctx, dec, p.settle(ctx, func() outcome { return p.work(ctx, dec) }))
	}, func(dec decision, out outcome) {
		keep.collect(ctx, dec, out)
		if ours := out.kind == outcomeAdopted || dec.verdict == verdictClaim; ours && !dec.known && out.entry != nil && !out.entry.Adopted {
			found++
		}
		if dec.verdict == verdictClaim && out.entry != nil {
			p.keepClaimed(kept[keptClaimed], dec, out)
		}
	})
	*counts = d.counts
	counts.known += found
	if d.doubt && d.unseen {
		p.doubt.stays.Store(true)
	}
	if err := keep.close(ctx); err != nil {
		return err
	}
	if scanErr != nil {
		return scanErr
	}
	return ctx.Err()
}

// keepClaimed keeps the deletion of an object that turned out to be ours.
func (p *pass) keepClaimed(claimed *deletions, d decision, out outcome) {
	if p.policy.Deletes == KeepDeleted {
		return
	}
	// No tag of the ledger's: the object may be newer than the listing that the
	// key was absent from, so the source is asked before it goes.
	d.entry.DestinationTag = ""
	if err := p.keepDeletion(claimed, d); err != nil {
		p.stop(err)
	}
}

// keepDeletion keeps a deletion for later.
func (p *pass) keepDeletion(kept *deletions, d decision) error {
	p.dead.waits(p.source.key(d.key))
	return kept.add(d)
}

// detector merges what both sides and the ledger have in a shard: of all its keys
// by listings, or of those that a replay asks for. The caller stops it.
func (p *pass) detector(ctx context.Context, part shard, cursor *ledger.Cursor) (d *detector, stop func(), err error) {
	if part.keys != nil {
		d, err = p.ask(ctx, part.keys, cursor)
		stop = func() {}
	} else {
		source := startLister(ctx, p.source, part, p.again, p.outage)
		destination := startLister(ctx, p.destination, part, p.again, p.outage)
		d = newDetector(ctx, source, destination, cursor, p.accept)
		stop = func() { source.stop(); destination.stop() }
	}
	if err != nil {
		return nil, nil, err
	}
	d.doubt = p.doubt.look.Load()
	return d, stop, nil
}

// detect feeds the workers, and keeps deletions for later.
func (p *pass) detect(d *detector, deletions *deletions, yield func(decision) bool) error {
	if err := d.start(); err != nil {
		return err
	}
	for {
		dec, ok, err := d.next()
		if err != nil || !ok {
			return err
		}
		switch dec.verdict {
		case verdictDelete:
			if p.keeps(dec) {
				continue
			}
			if err := p.keepDeletion(deletions, dec); err != nil {
				return err
			}
			continue
		case verdictCopy, verdictUnknown:
			p.progress.plan(dec.source.Size)
		}
		if !yield(dec) {
			return nil // the pass was stopped; its context says why
		}
	}
}

// keeps reports whether an object that is gone from the source stays at the
// destination all the same.
func (p *pass) keeps(dec decision) bool {
	return p.policy.Deletes == KeepDeleted || dec.entry.Adopted
}

// dropDamaged takes damaged segments out of the ledger. What they knew is
// looked up again.
func (p *pass) dropDamaged(ctx context.Context, damage error) error {
	p.log.Warn("a part of the ledger is damaged and was dropped; this pass looks up again what it knew, and copies nothing that the destination has",
		"policy", p.policy.ID, "damage", damage)
	if err := p.doubt.lost(ctx); err != nil {
		return err
	}
	return p.ledger.Drop(ctx, damage)
}
