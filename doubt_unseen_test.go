package replication

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// While there is doubt, an object that cannot be asked whose it is may be one of
// ours that the ledger lacks. The doubt must not end with that pass, or the
// object would stay when its source goes.
func TestDoubtStaysWhileAnObjectCannotBeAsked(t *testing.T) {
	w := newWorld(t)
	w.policy.MaxDelete = "off"
	w.put(w.source, "a", "1")
	w.put(w.source, "stays", "1")
	w.mustSync()
	w.loseLedger()
	require.NoError(t, os.WriteFile(filepath.Join(w.r.config.stateDir, policyDir("p"), doubtName), nil, 0o600))
	w.destination.before = func(op, key string) error {
		if op == "stat" && key == "a" {
			return fs.ErrPermission
		}
		return nil
	}
	_, err := w.sync()
	require.ErrorIs(t, err, fs.ErrPermission)
	w.destination.before = nil
	w.remove(w.source, "a")
	w.mustSync()
	w.mustSync()
	w.requireEqual()
}
