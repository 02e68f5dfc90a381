package replication

import (
	"context"
	"fmt"
)

// maxIntents is how many copies are written down at once, at most. A shard begins
// with one, so that the first do not wait, and doubles it.
const maxIntents = 1024

// An intender passes on the decisions of a shard, in their order. Those that the
// store is to copy itself wait until they are written down, many at once. It is
// for one goroutine.
type intender struct {
	pass  *pass
	keep  *checkpointer
	yield func(decision) bool

	held    []decision
	intents []intent // of those held
	batch   int      // how many to wait for
	ended   bool     // yield wants no more
}

func (p *pass) newIntender(keep *checkpointer, yield func(decision) bool) *intender {
	return &intender{pass: p, keep: keep, yield: yield, batch: 1}
}

// add takes a decision. False says that no more are wanted.
func (i *intender) add(ctx context.Context, d decision) bool {
	p := i.pass
	if (d.verdict == verdictCopy || d.verdict == verdictRehash) && p.copiesWithin(ctx) && p.withinReach(d, p.guards.copies(ctx)) {
		d.inStore = true
		i.intents = append(i.intents, intentOf(p.destination.key(d.key), d.source))
	}
	i.held = append(i.held, d)
	if len(i.intents) == 0 || len(i.intents) >= i.batch || len(i.held) >= 2*maxIntents {
		return i.flush(ctx)
	}
	return !i.ended
}

// flush writes down what waits, and passes it on. A pass that cannot write it down
// ends.
func (i *intender) flush(ctx context.Context) bool {
	if len(i.intents) > 0 && !i.ended {
		if err := i.write(ctx); err != nil {
			i.pass.stop(fmt.Errorf("note that copies begin: %w", err))
			i.ended = true
		}
	}
	for _, d := range i.held {
		if i.ended {
			break
		}
		i.ended = !i.yield(d)
	}
	i.held, i.intents = i.held[:0], nil
	return !i.ended
}

func (i *intender) write(ctx context.Context) error {
	p := i.pass
	if err := p.doubt.raise(ctx); err != nil {
		return err
	}
	name := p.nextIntents()
	if err := p.within.intents.note(ctx, name, i.intents); err != nil {
		return err
	}
	i.keep.covers(intentBatch{
		name: name, until: i.held[len(i.held)-1].key,
		first: i.intents[0].Key, last: i.intents[len(i.intents)-1].Key,
	})
	i.batch = min(2*i.batch, maxIntents)
	return nil
}
