package replication

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/memory"
)

// An outage says nothing of whether a store keeps writers apart.
func TestAStateBackendThatCannotBeAskedIsNotCalledUnfit(t *testing.T) {
	unaskable := func() *fleet {
		f := newFleet(t, 0)
		f.state = &hooked{Store: memory.NewBackend(memory.WithProperties(func(p *backend.Properties) { p.Varies = true }))}
		f.served = &server{hooked: f.state, mu: new(sync.Mutex), sent: new([]string)}
		f.machine(filepath.Join(t.TempDir(), "state"))
		return f
	}
	f := unaskable()
	f.state.before = func(string, string) error { return backend.ErrUnavailable }
	_, err := f.syncOn(0)
	require.ErrorIs(t, err, backend.ErrUnavailable)
	require.NotErrorIs(t, err, errors.ErrUnsupported)
	require.ErrorContains(t, err, `policy "p": state backend "state"`)
	f.state.before = nil
	_, err = f.syncOn(0)
	require.NoError(t, err)

	f = unaskable()
	ctx, cancel := context.WithCancel(t.Context())
	f.state.before = firstly("put", cancel)
	_, err = f.machines[0].Sync(ctx, f.policy)
	require.ErrorIs(t, err, context.Canceled)
	require.NotErrorIs(t, err, errors.ErrUnsupported)
}
