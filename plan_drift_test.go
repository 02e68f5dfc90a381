package replication

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// The source is asked before and after the deletion of a drifted object.
func TestAPlanCountsBothLooksAtTheSourceOfADriftedObject(t *testing.T) {
	w := newWorld(t)
	w.policy.Drift, w.policy.MaxDelete = Overwrite, "off"
	w.put(w.source, "a", "1")
	w.put(w.source, "b", "1")
	w.mustSync()
	w.put(w.destination, "b", "22")
	w.remove(w.source, "b")
	plan, err := w.r.PlanOf(t.Context(), w.policy)
	require.NoError(t, err)
	w.source.calls()
	w.destination.calls()
	w.mustSync()
	require.EqualValues(t, count(w.source.calls(), "stat"), plan.Requests.Most.Source.Head)
	require.EqualValues(t, count(w.destination.calls(), "stat"), plan.Requests.Most.Destination.Head)
}
