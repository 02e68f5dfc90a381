package e2e

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication"
	"github.com/objrepl/replication/backend"
)

// A directory that is gone from the very file system that it was on was removed
// by somebody: it is made anew. A source is never.
func TestADestinationThatWasRemovedIsMadeAnew(t *testing.T) {
	source, destination := files(t, 3), filepath.Join(t.TempDir(), "a", "copy")
	r := replicator(t)
	policy := replication.Policy{
		ID: "gone", SourceBackend: "local", SourceSettings: directory(source),
		DestinationBackend: "local", DestinationSettings: directory(destination),
	}
	_, err := r.Sync(t.Context(), policy)
	require.NoError(t, err)
	require.NoError(t, os.RemoveAll(filepath.Dir(destination)))
	require.NoError(t, r.AddPolicy(t.Context(), policy))
	plan, err := r.Plan(t.Context(), policy.ID)
	require.NoError(t, err)
	require.True(t, plan.DestinationMissing)
	require.NoDirExists(t, destination)
	res, err := r.Sync(t.Context(), policy)
	require.NoError(t, err)
	require.EqualValues(t, 3, res.Synced)

	require.NoError(t, os.Rename(source, source+"x"))
	_, err = r.Sync(t.Context(), policy)
	require.ErrorIs(t, err, backend.ErrStoreNotFound)
	require.NotContains(t, err.Error(), "gone for good")
}
