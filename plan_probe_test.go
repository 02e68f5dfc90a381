package replication

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// A plan counts what a pass asks a server that was not asked yet, and relies on
// what it has answered.
func TestAPlanForetellsTheRequestsOfAsking(t *testing.T) {
	for _, trash := range []string{"", ".trash/"} {
		w, _ := newServerWorld(t)
		w.smallParts()
		w.policy.MaxDelete, w.policy.TrashPrefix = "off", trash
		foretells := func(what string) {
			t.Helper()
			w.source.calls()
			w.destination.calls()
			plan, err := w.r.PlanOf(t.Context(), w.policy)
			require.NoError(t, err)
			require.Equal(t, plan.Requests.Least, plan.Requests.Most, what)
			want := plan.Requests.Least.Destination
			w.source.calls()
			w.destination.calls()
			w.mustSync()
			made := requestsOf(w.destination)
			want.List = made.List // the hooks count the end of a listing too
			require.Equal(t, want, made, what)
		}
		for _, key := range []string{"a", "b", "c", "d"} {
			w.put(w.source, key, "1")
		}
		foretells("the first copies")
		w.put(w.source, "a", "2")
		foretells("a copy when objects were asked about")
		w.remove(w.source, "a")
		w.remove(w.source, "b")
		foretells("the first deletions")
		w.put(w.source, "large", large("x"))
		foretells("the first object in parts")
		w.put(w.source, "large", large("y"))
		w.remove(w.source, "c")
		foretells("what was asked all before")
	}
	for _, trash := range []string{"", ".trash/"} { // nothing but deletions, of what was asked for too long ago
		w, _ := newServerWorld(t)
		w.policy.MaxDelete, w.policy.TrashPrefix = "off", trash
		for _, key := range []string{"a", "b", "c"} {
			w.put(w.source, key, "1")
		}
		w.mustSync()
		require.NoError(t, w.probeState().write(probeFile{Version: probeVersion, Location: w.probeState().location}))
		w.remove(w.source, "a")
		w.remove(w.source, "b")
		plan, err := w.r.PlanOf(t.Context(), w.policy)
		require.NoError(t, err)
		w.destination.calls()
		w.mustSync()
		made := requestsOf(w.destination)
		want := plan.Requests.Most.Destination
		want.List = made.List
		require.Equal(t, want, made)
	}
}
