package e2e

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication"
	"github.com/objrepl/replication/backend"
)

// A directory that is gone may be one that is not mounted: it is never made
// anew, and who knows better is told what to do.
func TestADestinationThatIsGoneIsNotMadeAnewUnlessSomebodyDoes(t *testing.T) {
	source, destination := files(t, 3), filepath.Join(t.TempDir(), "copy")
	r := replicator(t)
	policy := replication.Policy{
		ID: "gone", SourceBackend: "local", SourceSettings: directory(source),
		DestinationBackend: "local", DestinationSettings: directory(destination),
	}
	_, err := r.Sync(t.Context(), policy)
	require.NoError(t, err)
	require.NoError(t, os.RemoveAll(destination))
	_, err = r.Sync(t.Context(), policy)
	require.ErrorIs(t, err, backend.ErrStoreNotFound)
	require.ErrorContains(t, err, "if it is gone for good, make it")
	require.NoDirExists(t, destination)
	require.NoError(t, os.Mkdir(destination, 0o755))
	res, err := r.Sync(t.Context(), policy)
	require.NoError(t, err)
	require.EqualValues(t, 3, res.Synced)

	require.NoError(t, os.Rename(source, source+"x"))
	_, err = r.Sync(t.Context(), policy)
	require.ErrorIs(t, err, backend.ErrStoreNotFound)
	require.NotContains(t, err.Error(), "gone for good")
}
