package replication

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/memory"
)

// A plan counts the requests of copies in parts as the pass makes them.
func TestAPlanForetellsTheRequestsOfCopiesInParts(t *testing.T) {
	for name, opt := range map[string]memory.Option{
		"conditions": func(*memory.Store) {},
		"none of Complete": memory.WithProperties(func(p *backend.Properties) {
			p.Complete = backend.Conditions{}
		}),
		"larger parts": memory.WithProperties(func(p *backend.Properties) {
			p.Parts = backend.PartLimits{Min: 150, Count: 5}
		}),
	} {
		t.Run(name, func(t *testing.T) {
			w := newPartsWorld(t, opt)
			w.put(w.source, "changed", large("before"))
			w.put(w.source, "unchanged", large("same"))
			w.mustSync()
			w.put(w.source, "border", strings.Repeat("x", 1000))
			w.put(w.source, "below", strings.Repeat("x", 999))
			w.put(w.source, "changed", large("after!"))
			w.put(w.source, "grown", large("grown"))
			w.source.calls()
			w.destination.calls()
			plan, err := w.r.PlanOf(t.Context(), w.policy)
			require.NoError(t, err)
			require.Equal(t, plan.Requests.Least, plan.Requests.Most)
			want := plan.Requests.Least
			// The stores' hooks count the end of a listing too.
			want.Source.List, want.Destination.List = requestsOf(w.source).List, requestsOf(w.destination).List
			w.mustSync()
			require.Equal(t, want, RequestsBySide{requestsOf(w.source), requestsOf(w.destination)})
		})
	}
}

// requestsOf counts the calls to a store since the last time.
func requestsOf(h *hooked) (r Requests) {
	for _, op := range h.calls() {
		switch op {
		case "list":
			r.List++
		case "stat":
			r.Head++
		case "open":
			r.Get++
		case "delete":
			r.Delete++
		default: // put, begin, part 1, complete
			r.Put++
		}
	}
	return r
}
