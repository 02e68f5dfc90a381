package replication

import (
	"context"
	"io/fs"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
)

// A pass that is stopped by its caller, and loses the lease while it winds up,
// leaves the state to whoever has taken over.
func TestAPassThatLosesItsLeaseWhileItStopsWritesNoState(t *testing.T) {
	inFakeTime(t, func(t *testing.T) {
		f := newFleet(t, 1)
		f.put(f.source, "a", "1")
		ctx, cancel := context.WithCancel(t.Context())
		f.destination.before = firstly("put", func() {
			cancel()
			raw := `{"version":1,"holder":{"pid":7,"host":"other"},"term":"theirs","beat":100,"place":"there"}`
			_, err := f.state.Store.Put(t.Context(), f.leaseKey(), backend.Bytes([]byte(raw)), backend.PutOptions{})
			require.NoError(t, err)
			time.Sleep(2 * leaseBeat)
		})
		_, err := f.machines[0].Sync(ctx, f.policy)
		require.ErrorIs(t, err, errLeaseLost)
		for _, name := range []string{statusName, historyName} {
			_, err := f.state.Store.Stat(t.Context(), "fleet/"+policyDir("p")+"/"+name)
			require.ErrorIs(t, err, fs.ErrNotExist, name)
		}
	})
}

// What is written in spite of a stop, such as journals, is not when the lease is lost.
func TestNothingIsWrittenToAStateWhoseLeaseIsLost(t *testing.T) {
	f := newFleet(t, 1)
	state, err := f.machines[0].sharedState(t.Context(), "p")
	require.NoError(t, err)
	require.NoError(t, state.write(t.Context(), statusName, []byte("{}")))
	state.lost.Store(true)
	f.state.calls()
	require.ErrorIs(t, state.write(t.Context(), statusName, nil), errLeaseLost)
	require.ErrorIs(t, state.remove(t.Context(), statusName), errLeaseLost)
	require.ErrorContains(t, state.remove(t.Context(), statusName), statusName)
	require.Empty(t, f.state.calls())
}
