package replication

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
)

// What a policy has written nothing of, and only knows, it knows after any pass too.
func TestALedgerThatIsLostAfterAPassOfNothingKeepsNoObjectAlive(t *testing.T) {
	for name, pass := range map[string]func(w *world){
		"a replay": func(w *world) {
			_, err := w.r.Replay(w.t.Context(), "p")
			require.NoError(w.t, err)
		},
		"an outage": func(w *world) {
			w.source.before = func(string, string) error { return backend.ErrUnavailable }
			_, err := w.sync()
			require.ErrorIs(w.t, err, backend.ErrUnavailable)
			w.source.before = nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.policy.MaxDelete = "off"
			w.put(w.source, "a", "v")
			w.put(w.source, "b", "v")
			w.mustSync()
			w.restart(filepath.Join(t.TempDir(), "another state"))
			require.NoError(t, w.r.AddPolicy(t.Context(), w.policy))
			require.EqualValues(t, 2, w.mustSync().Adopted)
			pass(w)
			w.loseLedger()
			w.remove(w.source, "b")
			require.EqualValues(t, 1, w.mustSync().Deleted)
			w.requireEqual()
		})
	}
}
