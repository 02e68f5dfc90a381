package main

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"runtime/debug"

	"github.com/objrepl/replication"
)

// processOverhead is what a process takes beside the object content that
// WithMemoryLimit bounds: listings, ledger, connections.
const processOverhead = 40 << 20

// open makes the replicator that the global flags describe. The caller closes
// it.
func (a *app) open(extra ...replication.Option) (*replication.Replicator, error) {
	dir := a.stateDir
	if dir == "" {
		var err error
		if dir, err = defaultStateDir(); err != nil {
			return nil, err
		}
	}
	opts := []replication.Option{
		replication.WithStateDir(dir),
		replication.WithDrivers(addedDrivers()...),
		replication.WithLogger(slog.New(a.logHandler())),
	}
	if a.stateIn != "" {
		where, err := parseLocation(a.stateIn)
		if err != nil {
			return nil, usagef("give a directory or a URL such as s3://bucket/prefix?region=NAME", "--state-backend: %w", err)
		}
		opts = append(opts, replication.WithStateBackend(where.backend, where.settings, where.prefix))
	}
	if a.config != "" {
		opts = append(opts, replication.WithPolicyFile(a.config))
	}
	if a.concurrency != 0 {
		opts = append(opts, replication.WithConcurrency(a.concurrency))
	}
	if a.memoryLimit != 0 {
		opts = append(opts, replication.WithMemoryLimit(int64(a.memoryLimit)))
		// Makes the collector work harder before the process grows past it.
		debug.SetMemoryLimit(int64(min(a.memoryLimit, math.MaxInt64-processOverhead)) + processOverhead)
	}
	return replication.New(append(opts, extra...)...)
}

// with opens a replicator, runs f and closes it again.
func (a *app) with(ctx context.Context, f func(context.Context, *replication.Replicator) error, extra ...replication.Option) error {
	r, err := a.open(extra...)
	if err != nil {
		return err
	}
	return withError(f(ctx, r), r.Close())
}

// withError adds what went wrong on the way out to what went wrong before.
func withError(err, later error) error {
	switch {
	case later == nil:
		return err
	case err == nil:
		return later
	}
	return errors.Join(err, later)
}
