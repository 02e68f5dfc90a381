package e2e

import (
	"bytes"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
)

// unproven skips a test that takes root, and says of what the run then is no proof.
// go test keeps that to itself without -v; .ci/run repeats it.
func unproven(t *testing.T, err error, what string) {
	t.Helper()
	t.Skipf("NOT TESTED: %s. A file system cannot be mounted, which takes root: %v", what, err)
}

func TestAFullDiskFailsWhatDoesNotFitAndLosesNothing(t *testing.T) {
	destination := t.TempDir()
	if err := syscall.Mount("tmpfs", destination, "tmpfs", 0, "size=2m"); err != nil {
		unproven(t, err, "that a full disk fails what does not fit and loses nothing")
	}
	t.Cleanup(func() { require.NoError(t, syscall.Unmount(destination, syscall.MNT_DETACH)) })
	source := files(t, 20)
	r := replicator(t)
	policy := upload("local", source, directory(destination))
	_, err := r.Sync(t.Context(), policy)
	require.NoError(t, err)

	require.NoError(t, os.WriteFile(filepath.Join(source, "0003.txt"), bytes.Repeat([]byte("x"), 8<<20), 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(source, "0005.txt"), []byte("still fits"), 0o644))
	res, err := r.Sync(t.Context(), policy)
	require.ErrorIs(t, err, backend.ErrNoSpace)
	requireSays(t, err, nil, "destination", "local", "0003.txt")
	require.EqualValues(t, 1, res.Failed)
	require.EqualValues(t, 1, res.Synced)
	got := tree(t, destination)
	require.Len(t, got, 20)
	require.Equal(t, "file 3", string(got["0003.txt"].content), "the version before is still there, whole")
	require.Equal(t, "still fits", string(got["0005.txt"].content))
}
