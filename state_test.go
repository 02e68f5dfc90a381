package replication

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAPassSweepsWhatKilledOnesLeftInItsState(t *testing.T) {
	w := newWorld(t)
	w.put(w.source, "k", "v")
	w.mustSync()
	dir := filepath.Join(w.r.config.stateDir, policyDir("p"))
	leftovers := []string{
		".objrepl-tmp-STATUS", "deletions-3.tmp", "ledger-1.tmp",
		filepath.Join(".objrepl", "tmp", ".objrepl-tmp-SEGMENT"),
	}
	for _, name := range leftovers {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte("half"), 0o600))
	}
	other := filepath.Join(w.r.config.stateDir, policyDir("other"))
	require.NoError(t, os.MkdirAll(other, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(other, "deletions-3.tmp"), nil, 0o600))
	w.requireQuiet()
	for _, name := range leftovers {
		_, err := os.Stat(filepath.Join(dir, name))
		require.ErrorIs(t, err, fs.ErrNotExist, name)
	}
	require.FileExists(t, filepath.Join(other, "deletions-3.tmp"), "another policy's is not ours to judge")
}

func TestSweepingTheStateKeepsWhatIsNotTemporary(t *testing.T) {
	w := newWorld(t)
	w.put(w.source, "k", "v")
	w.mustSync()
	dir := filepath.Join(w.r.config.stateDir, policyDir("p"))
	names := func() (out []string) {
		require.NoError(t, filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
			out = append(out, path)
			return err
		}))
		return out
	}
	before := names()
	require.NoError(t, w.r.hold(t.Context(), "p", func(ctx context.Context, dir string, state *policyState) error {
		_, err := w.r.takeLedger(ctx, "p", state, dir)
		return err
	}))
	require.Equal(t, before, names())
}
