package replication

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestALedgerThatIsGoneKeepsNoObjectAlive(t *testing.T) {
	for name, lose := range map[string]func(w *world){
		"the directory": (*world).loseLedger,
		"the manifest": func(w *world) {
			require.NoError(w.t, os.Remove(filepath.Join(w.r.config.stateDir, policyDir("p"), ledgerDir, "manifest")))
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			for i := range 6 {
				w.put(w.source, fmt.Sprint(i), "v")
			}
			w.put(w.destination, "theirs", "foreign")
			w.mustSync()
			lose(w)
			w.remove(w.source, "2")
			w.remove(w.source, "3")
			plan, err := w.r.PlanOf(t.Context(), w.policy)
			require.NoError(t, err)
			i := slices.IndexFunc(plan.Reasons, func(c PlanCount) bool { return c.Reason == ReasonUnclaimed })
			require.GreaterOrEqual(t, i, 0, "%+v", plan.Reasons)
			require.EqualValues(t, 3, plan.Reasons[i].Objects)
			res := w.mustSync()
			require.EqualValues(t, 2, res.Deleted)
			require.EqualValues(t, 4, res.Adopted)
			require.Equal(t, append(w.contents(w.source), "theirs=foreign"), w.contents(w.destination))
			w.requireQuiet() // and nobody is asked any more
		})
	}
}

// A ledger that was rebuilt from markers alone is one that can be lost.
func TestALedgerThatIsLostTwiceKeepsNoObjectAlive(t *testing.T) {
	w := newWorld(t)
	w.put(w.source, "a", "v")
	w.put(w.source, "b", "v")
	w.mustSync()
	w.restart(filepath.Join(t.TempDir(), "another state"))
	require.EqualValues(t, 2, w.mustSync().Adopted)
	w.loseLedger()
	w.remove(w.source, "b")
	require.EqualValues(t, 1, w.mustSync().Deleted)
	w.requireEqual()
}

func TestWithoutALedgerToLoseNobodyIsAsked(t *testing.T) {
	w := newWorld(t)
	w.put(w.destination, "theirs", "foreign")
	w.destination.calls()
	_, err := w.sync() // of nothing
	require.NoError(t, err)
	w.put(w.source, "k", "v")
	w.mustSync()
	require.NotContains(t, w.destination.calls(), "stat")
	// Nor is a policy whose source is empty for long.
	w.remove(w.source, "k")
	w.mustSync(ForceDeletes())
	w.destination.calls()
	w.mustSync()
	w.mustSync()
	require.NotContains(t, w.destination.calls(), "stat")
}
