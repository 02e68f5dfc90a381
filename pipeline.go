package replication

import (
	"context"
	"iter"
	"sync"
)

// window is how many decisions a pass may be ahead of the oldest one that is
// still being worked on. It bounds the memory of the ordering below, and how
// long one huge object can keep others from starting.
const window = 8192

// A task is one decision on its way through the workers.
type task struct {
	decision decision
	outcome  outcome // set before done is closed
	done     chan struct{}
}

// pipeline works on decisions with a bounded number of workers and collects
// their outcomes in the order of the decisions, which is the order that the
// ledger is written in. It returns when every goroutine has ended. After ctx
// has ended, decisions that no worker has begun are dropped.
func pipeline(ctx context.Context, workers int, decisions iter.Seq[decision],
	work func(decision) outcome, collect func(decision, outcome)) {
	var wait sync.WaitGroup
	queue := make(chan *task)
	for range workers {
		wait.Go(func() {
			for t := range queue {
				t.outcome = work(t.decision)
				close(t.done)
			}
		})
	}
	order := make(chan *task, window)
	wait.Go(func() {
		for t := range order {
			<-t.done
			collect(t.decision, t.outcome)
		}
	})
	for d := range decisions {
		if ctx.Err() != nil {
			break
		}
		t := &task{decision: d, done: make(chan struct{})}
		order <- t // never blocks for good: the oldest task ends
		queue <- t // likewise: workers do not wait for anything but stores
	}
	close(queue)
	close(order)
	wait.Wait()
}
