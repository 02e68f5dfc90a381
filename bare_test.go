package replication

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
)

// MinIO counts the prefix of each name in its limit. What has room without the
// marker is not failed for the marker's sake.
func TestAMarkerThatTheServerHasNoRoomForIsLeftOut(t *testing.T) {
	for _, parts := range []bool{false, true} {
		w := newWorld(t)
		if parts {
			w.r.config.partsFrom = 1
		}
		m := backend.Metadata{User: map[string]string{"color": "blue"}}
		w.putWith("a", backend.PutOptions{Metadata: m})
		tooMuch := func(got backend.Metadata) error {
			if len(got.User) > 1 {
				return fmt.Errorf("counted otherwise: %w", backend.ErrInvalidMetadata)
			}
			return nil
		}
		w.destination.putting = func(_ string, opts backend.PutOptions) error { return tooMuch(opts.Metadata) }
		w.destination.beginning = tooMuch
		w.source.calls()
		require.EqualValues(t, 1, w.mustSync().Synced)
		if !parts {
			require.Equal(t, []string{"list", "open"}, slices.Compact(slices.Sorted(slices.Values(w.source.calls()))), "read once")
		}
		there, err := w.destination.Store.Stat(t.Context(), "a")
		require.NoError(t, err)
		require.Equal(t, m.User, there.Metadata.User)
		w.requireQuiet()

		m.User["more"] = "x"
		w.putWith("b", backend.PutOptions{Metadata: m})
		res, err := w.sync()
		require.ErrorIs(t, err, backend.ErrInvalidMetadata, "too much without it as well")
		require.EqualValues(t, 1, res.Failed)
	}
}
