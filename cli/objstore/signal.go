package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"sync"
	"syscall"
)

// errInterrupted is the cause of a context that a signal ended.
var errInterrupted = errors.New("interrupted")

// interruptible returns a context that the first SIGINT or SIGTERM cancels, so
// that what runs can end in good order. A second signal exits at once. Calling
// stop restores the signals and waits for the goroutine behind all this.
func interruptible(parent context.Context, c *console) (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(parent)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	done := make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() {
		for first := true; ; first = false {
			select {
			case <-done:
				return
			case <-signals:
			}
			if !first {
				c.Abandon()
				os.Exit(exitInterrupted)
			}
			cancel(errInterrupted)
			if c.terminal {
				c.Printf("objstore: stopping; interrupt again to exit at once\n")
			}
		}
	})
	return ctx, func() {
		signal.Stop(signals)
		close(done)
		running.Wait()
		cancel(nil)
	}
}

func interrupted(ctx context.Context) bool {
	return errors.Is(context.Cause(ctx), errInterrupted)
}
