package replication

import (
	"context"
	"errors"
	"iter"
	"slices"
	"sync"

	"github.com/objrepl/replication/backend"
)

// A batch is deletions that go out in one request, as safely as each would by
// itself: what the request does not settle by a definite answer is then settled
// singly. It is for one goroutine.
type batch struct {
	pass     *pass
	bulk     backend.BulkDeleter
	compared bool // by the store: the tags of what is deleted
	removals []*removal
	outcomes []outcome // of each removal
}

// batching says what deletions go out together, and how many keys are looked at
// by a listing instead of one by one.
type batching struct {
	from  int // the fewest deletions of a batch
	heads int // that a page of a listing is worth
	pages int // of a listing at most
}

// A page of a listing costs about as much as a dozen HEADs, at AWS's prices, and
// takes as long as a few.
var defaultBatching = batching{from: 2, heads: 16, pages: 4}

// bulk returns what deletes many objects at once, and whether that compares
// their tags. It is nil where there is no such thing, and where that would be
// less exact than one deletion is.
func (p *pass) bulk(ctx context.Context) (_ backend.BulkDeleter, compared bool) {
	bulk, ok := backend.As[backend.BulkDeleter](p.destination.Backend)
	if !ok || !p.destination.deletesMany() {
		return nil, false
	}
	may, compared := p.guards.inBulk(ctx).deletesMany()
	if !may {
		return nil, false
	}
	return bulk, compared
}

// deletesMany is what the store's properties say of that.
func (e *endpoint) deletesMany() bool { return e.props.MaxBulkDelete > 1 }

// deleteKept carries out the deletions of one file.
func (p *pass) deleteKept(ctx context.Context, d *deletions) error {
	keep := p.checkpoints()
	var bulk backend.BulkDeleter
	compared := false
	if d.count >= int64(p.batching.from) {
		bulk, compared = p.bulk(ctx)
	}
	if bulk == nil {
		p.pool.run(ctx, window, deleteDecisions(d), func(dec decision) outcome {
			return p.removeSingly(ctx, &removal{keptDeletion: keptDeletion{dec.key, string(dec.destination.Tag), dec.entry.DestinationTag}})
		}, func(dec decision, out outcome) { keep.collect(ctx, dec, out) })
		return errors.Join(d.err, keep.close(ctx))
	}
	var batches []*batch
	run := func() {
		var all sync.WaitGroup
		for _, b := range batches {
			all.Go(func() { b.run(ctx) })
		}
		all.Wait()
		for _, b := range batches {
			for i, r := range b.removals {
				keep.collect(ctx, r.decision(), b.outcomes[i])
			}
		}
		batches = batches[:0]
	}
	for kept := range inBatches(d.replay(), min(p.destination.props.MaxBulkDelete, maxBatch)) {
		if ctx.Err() != nil {
			break
		}
		batches = append(batches, &batch{pass: p, bulk: bulk, compared: compared, removals: kept, outcomes: make([]outcome, len(kept))})
		if len(batches) == batchesAtOnce {
			run()
		}
	}
	run()
	return errors.Join(d.err, keep.close(ctx))
}

const (
	// maxBatch bounds a batch whatever the store takes.
	maxBatch = 1000
	// batchesAtOnce bounds the batches of one shard that are under way.
	batchesAtOnce = 4
)

func inBatches(kept iter.Seq[keptDeletion], size int) iter.Seq[[]*removal] {
	return func(yield func([]*removal) bool) {
		var batch []*removal
		for k := range kept {
			if batch = append(batch, &removal{keptDeletion: k}); len(batch) == size {
				if !yield(batch) {
					return
				}
				batch = nil
			}
		}
		if len(batch) > 0 {
			yield(batch)
		}
	}
}

// run settles the batch. What the pass has not come to when it is stopped has no
// outcome. Objects whose deletion does not rest on the ledger alone need a look
// of their own.
func (b *batch) run(ctx context.Context) {
	p := b.pass
	var many, singly []int
	for i, r := range b.removals {
		if r.Tag == r.LedgerTag {
			many = append(many, i)
		} else {
			singly = append(singly, i)
		}
	}
	if len(many) >= p.batching.from {
		gone, left := b.delete(ctx, many)
		b.lookAfter(ctx, gone)
		many = left
	}
	p.pool.each(ctx, append(singly, many...), func(i int) {
		b.outcomes[i] = p.removeSingly(ctx, b.removals[i])
	})
}

// delete deletes what it can in one request, and says what is gone and what is
// left. Each attempt reads the tags anew where the store does not compare them,
// as an earlier one may have been applied although its answer was lost.
func (b *batch) delete(ctx context.Context, many []int) (gone, left []int) {
	p := b.pass
	many, left = b.copyToTrash(ctx, many)
	err := p.again.do(ctx, func() (progress bool, err error) {
		if !b.compared {
			var moved []int
			many, moved = b.unmoved(ctx, many)
			left = append(left, moved...)
		}
		if len(many) == 0 {
			return false, nil
		}
		deletions := make([]backend.Deletion, len(many))
		for n, i := range many {
			deletions[n].Key = p.destination.key(b.removals[i].Key)
			if b.compared {
				deletions[n].IfMatch = b.removals[i].tag()
			}
		}
		var again []int
		for n, answer := range b.bulk.DeleteMany(ctx, deletions) {
			switch i := many[n]; {
			case answer == nil, absent(answer):
				gone, progress = append(gone, i), true
			case backend.Retryable(answer):
				again, err = append(again, i), answer
			default:
				left = append(left, i)
			}
		}
		many = again
		return progress, err
	})
	if err != nil {
		left = append(left, many...) // each by itself, which waits for an outage
	}
	slices.Sort(gone)
	return gone, left
}

// copyToTrash parts the objects whose copy in the trash is acknowledged, and
// that may go, from the others.
func (b *batch) copyToTrash(ctx context.Context, many []int) (safe, left []int) {
	if b.pass.trash == nil {
		return many, nil
	}
	copied := make([]bool, len(b.removals))
	b.pass.pool.each(ctx, many, func(i int) { copied[i] = b.pass.toTrash(ctx, b.removals[i]) == nil })
	return partition(many, copied)
}

// unmoved parts the objects that still have the tag with which they may be
// deleted from the others.
func (b *batch) unmoved(ctx context.Context, many []int) (same, moved []int) {
	p := b.pass
	there, err := p.look(ctx, p.destination, b.keys(many))
	if err != nil {
		return nil, many
	}
	still := make([]bool, len(b.removals))
	for n, i := range many {
		still[i] = there[n] != nil && there[n].Problem == nil && there[n].Tag == b.removals[i].tag()
	}
	return partition(many, still)
}

// lookAfter looks at the source once more, like lookAfterDelete. Every object
// has an outcome then, also when the pass is stopped: it is gone.
func (b *batch) lookAfter(ctx context.Context, gone []int) {
	p := b.pass
	back := make([]bool, len(b.removals))
	// Where it cannot be known, the next pass copies what it lists.
	if there, err := p.look(ctx, p.source, b.keys(gone)); err == nil {
		for n, i := range gone {
			back[i] = there[n] != nil
		}
	}
	again, settled := partition(gone, back)
	p.pool.each(ctx, again, func(i int) {
		r := b.removals[i]
		if out := p.settle(ctx, func() outcome { return p.lookAfterDelete(ctx, r.Key) }); out.deleted {
			b.finish(ctx, i, out)
		}
	})
	for _, i := range slices.Concat(again, settled) {
		if !b.outcomes[i].deleted {
			b.finish(ctx, i, outcome{kind: outcomeDeleted, deleted: true, forget: true})
		}
	}
}

func (b *batch) finish(ctx context.Context, i int, out outcome) {
	out.trashed = b.removals[i].trashed
	b.outcomes[i] = b.pass.finishOne(ctx, b.removals[i].decision(), out)
	b.outcomes[i].deleted = true
}

func (b *batch) keys(indexes []int) []string {
	keys := make([]string, len(indexes))
	for n, i := range indexes {
		keys[n] = b.removals[i].Key
	}
	return keys
}

// partition parts indexes by what is said of each.
func partition(indexes []int, said []bool) (yes, no []int) {
	for _, i := range indexes {
		if said[i] {
			yes = append(yes, i)
		} else {
			no = append(no, i)
		}
	}
	return yes, no
}
