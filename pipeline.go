package replication

import (
	"context"
	"iter"
	"sync"
)

// window is how many decisions all shards of a pass together may be ahead of
// their oldest ones that are still being worked on. It bounds the memory of
// the ordering below, and how long one huge object can keep others of its
// shard from starting.
const window = 8192

// A task is one decision on its way through the workers.
type task struct {
	decision decision
	work     func(decision) outcome
	outcome  outcome // set before done is closed
	done     chan struct{}
}

// A pool is the workers of a pass, which all its shards share.
type pool struct {
	queue chan *task
	wait  sync.WaitGroup
}

// newPool starts the workers. The caller closes the pool.
func newPool(workers int) *pool {
	p := &pool{queue: make(chan *task)}
	for range workers {
		p.wait.Go(func() {
			for t := range p.queue {
				t.outcome = t.work(t.decision)
				close(t.done)
			}
		})
	}
	return p
}

// close ends the workers, when no run is under way any more.
func (p *pool) close() {
	close(p.queue)
	p.wait.Wait()
}

// each calls f in the workers, once for each of the indexes, and returns when
// all calls have ended. After ctx has ended no further one begins. It is not to
// be called by a worker.
func (p *pool) each(ctx context.Context, indexes []int, f func(i int)) {
	var calls sync.WaitGroup
	for _, i := range indexes {
		if ctx.Err() != nil {
			break
		}
		calls.Add(1)
		p.queue <- &task{done: make(chan struct{}), work: func(decision) outcome {
			defer calls.Done()
			f(i)
			return outcome{}
		}}
	}
	calls.Wait()
}

// run works on decisions and collects their outcomes in the order of the
// decisions, which is the order that the ledger is written in. At most ahead of
// them are between the oldest unsettled and the newest. It returns when the
// last outcome was collected. After ctx has ended, decisions that no worker has
// begun are dropped.
func (p *pool) run(ctx context.Context, ahead int, decisions iter.Seq[decision],
	work func(decision) outcome, collect func(decision, outcome)) {
	order := make(chan *task, ahead)
	var collector sync.WaitGroup
	collector.Go(func() {
		for t := range order {
			<-t.done
			collect(t.decision, t.outcome)
		}
	})
	for d := range decisions {
		if ctx.Err() != nil {
			break
		}
		t := &task{decision: d, work: work, done: make(chan struct{})}
		order <- t   // never blocks for good: the oldest task ends
		p.queue <- t // likewise: workers wait for nothing but stores
	}
	close(order)
	collector.Wait()
}
