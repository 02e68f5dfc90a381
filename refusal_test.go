package replication

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/memory"
)

// It fails again in every pass, and so is to cost nothing but the listings.
func TestANameThatTheDestinationCannotHoldFailsAloneAndUnread(t *testing.T) {
	w := newWorld(t, memory.WithProperties(func(p *backend.Properties) {
		p.CheckKey = func(key string) error {
			if strings.Contains(key, "to/a\\") {
				return fmt.Errorf("%w: a backslash", backend.ErrInvalidKey)
			}
			return nil
		}
	}))
	w.policy.DestinationPrefix = "to/"
	w.put(w.source, `a\b`, "1")
	w.put(w.source, `b\c`, "2")
	plan, err := w.r.PlanOf(t.Context(), w.policy)
	require.NoError(t, err)
	require.Contains(t, plan.Reasons, PlanCount{ActionFail, ReasonName, 1, 1})
	for synced := range 2 {
		w.source.calls()
		w.destination.calls()
		res, err := w.sync()
		require.ErrorIs(t, err, ErrObjectsFailed)
		require.EqualValues(t, 1, res.Failed)
		require.EqualValues(t, 1-synced, res.Synced)
		require.ErrorIs(t, res.Errors[0], backend.ErrInvalidKey)
		require.ErrorContains(t, res.Errors[0], `policy "p": object "a\\b"`)
		require.ErrorContains(t, res.Errors[0], `"to/a\\b": invalid key: a backslash`)
		require.Equal(t, 1-synced, count(w.source.calls(), "open"))
	}
	require.Equal(t, []string{`to/b\c=2`}, w.contents(w.destination))
}
