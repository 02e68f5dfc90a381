package probe

import (
	"context"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/backendtest"
	"github.com/objrepl/replication/backend/memory"
)

// rehearse estimates what a probe costs, by running it against stores in memory
// that declare the same.
func rehearse(ctx context.Context, p backend.Properties, full bool) (Cost, error) {
	var m meter
	declared := memory.WithProperties(func(own *backend.Properties) {
		location := own.Location
		*own = p
		own.Location = location
	})
	all := suiteOptions(full)
	var checks errgroup.Group
	checks.SetLimit(64) // most wait
	for names := range slices.Chunk(all.Only, 1) {
		checks.Go(func() error {
			store, own := memory.NewBackend(declared), new(meter)
			options := all
			options.Only, options.Prefix = names, "rehearsal/"
			// What fails here has cost what it cost, and is found in the store itself.
			_, _ = backendtest.Run(ctx, func(context.Context) (backend.Backend, error) { return own.wrap(store), nil }, options)
			m.add(own)
			return context.Cause(ctx)
		})
	}
	err := checks.Wait()
	m.calls.Add(asks - int64(len(all.Only))) // each run has looked once whether the store is empty
	return m.cost(), err
}

// add adds what a check costs.
func (m *meter) add(own *meter) {
	m.calls.Add(own.calls.Load())
	m.written.Add(own.written.Load())
	m.read.Add(own.read.Load())
}

// asks are about the requests of asking for the conditions, of seeing that the
// place is empty, and of leaving it so.
const asks = 24
