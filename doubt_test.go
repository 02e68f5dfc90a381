package replication

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
)

// crashed brings w to where a pass was killed after it wrote some objects and
// before the ledger had them: the state directory is put back to what it was
// when the first of them was on its way.
func crashed(t *testing.T, w *world) {
	t.Helper()
	state := w.r.config.stateDir
	saved := filepath.Join(t.TempDir(), "saved")
	w.destination.before = firstly("put", func() { require.NoError(t, os.CopyFS(saved, os.DirFS(state))) })
	w.policy.Concurrency = 1
	w.mustSync()
	w.destination.before = nil
	w.restart(saved)
}

func TestWhatAKilledPassWroteAndTheSourceLostSinceIsDeleted(t *testing.T) {
	w := newWorld(t)
	for i := range 6 {
		w.put(w.source, fmt.Sprint(i), "v")
	}
	w.put(w.destination, "theirs", "foreign")
	crashed(t, w)
	w.remove(w.source, "2")
	w.remove(w.source, "3")
	res := w.mustSync()
	require.EqualValues(t, 2, res.Deleted)
	require.EqualValues(t, 4, res.Adopted)
	require.Equal(t, append(w.contents(w.source), "theirs=foreign"), w.contents(w.destination))
	w.requireQuiet() // and nobody is asked any more
}

func TestASourceThatIsBackKeepsWhatAKilledPassWrote(t *testing.T) {
	w := newWorld(t)
	w.put(w.source, "k", "v")
	w.put(w.source, "l", "v")
	crashed(t, w)
	w.remove(w.source, "k")
	asked := false
	w.destination.before = func(op, key string) error {
		switch {
		case op == "stat" && key == "k" && !asked:
			asked = true
			w.put(w.source, "k", "v") // after the listing that it was absent from
		case op == "delete":
			t.Error("deleted", key)
		}
		return nil
	}
	w.mustSync()
	require.True(t, asked)
	w.destination.before = nil
	w.mustSync()
	w.requireEqual()
	w.requireQuiet()
}

func TestTheBrakeHoldsForWhatAKilledPassWrote(t *testing.T) {
	w := newWorld(t)
	for i := range 6 {
		w.put(w.source, fmt.Sprint(i), "v")
	}
	w.policy.MaxDelete = "1"
	crashed(t, w)
	w.remove(w.source, "2")
	w.remove(w.source, "3")
	_, err := w.sync()
	require.ErrorIs(t, err, ErrBrake)
	require.Len(t, w.contents(w.destination), 6)
	require.EqualValues(t, 2, w.mustSync(ForceDeletes()).Deleted)
	w.requireEqual()
	w.requireQuiet()
}

func TestAWriteWhoseAnswerNeverCameIsDeletedWithItsSource(t *testing.T) {
	w := newWorld(t)
	w.put(w.source, "k", "v")
	w.put(w.source, "l", "v")
	// The write is applied, and then the destination cannot be asked for k.
	w.destination.after = func(op, key string) error {
		if key == "k" && op == "put" {
			return backend.ErrUnavailable
		}
		return nil
	}
	w.destination.before = func(op, key string) error {
		if key == "k" && op == "stat" {
			return fs.ErrPermission
		}
		return nil
	}
	_, err := w.sync()
	require.ErrorIs(t, err, ErrObjectsFailed)
	w.destination.after, w.destination.before = nil, nil
	w.remove(w.source, "k")
	require.EqualValues(t, 1, w.mustSync().Deleted)
	w.requireEqual()
	w.requireQuiet()
}

func TestAnObjectThatCannotBeAskedAboutIsAskedAgainInTheNextPass(t *testing.T) {
	w := newWorld(t)
	w.put(w.source, "k", "v")
	w.put(w.source, "l", "v")
	crashed(t, w)
	w.remove(w.source, "k")
	w.destination.before = func(op, key string) error {
		if op == "stat" && key == "k" {
			return fs.ErrPermission
		}
		return nil
	}
	_, err := w.sync()
	require.ErrorIs(t, err, ErrObjectsFailed)
	w.destination.before = nil
	require.EqualValues(t, 1, w.mustSync().Deleted)
	w.requireQuiet()
}

func TestADamagedLedgerKeepsNoObjectAlive(t *testing.T) {
	for _, file := range []string{"manifest", "segment-*"} {
		t.Run(file, func(t *testing.T) {
			w := newWorld(t)
			w.put(w.source, "k", "v")
			w.put(w.source, "l", "v")
			w.mustSync()
			names, err := filepath.Glob(filepath.Join(w.r.config.stateDir, policyDir("p"), ledgerDir, file))
			require.NoError(t, err)
			require.Len(t, names, 1)
			data, err := os.ReadFile(names[0])
			require.NoError(t, err)
			data[len(data)/2] ^= 0xff
			require.NoError(t, os.WriteFile(names[0], data, 0o600))
			w.remove(w.source, "k")
			require.EqualValues(t, 1, w.mustSync().Deleted)
			w.requireEqual()
			w.requireQuiet()
		})
	}
}

func TestNoForeignObjectIsAskedAboutWithoutDoubt(t *testing.T) {
	w := newWorld(t)
	w.put(w.source, "k", "v")
	w.put(w.destination, "theirs", "foreign")
	w.mustSync()
	w.put(w.source, "k", "v2")
	w.destination.calls()
	w.mustSync()
	require.False(t, slices.Contains(w.destination.calls(), "stat"))
	// Nor is the file that tells of a doubt left behind.
	_, err := os.Stat(filepath.Join(w.r.config.stateDir, policyDir("p"), doubtName))
	require.ErrorIs(t, err, fs.ErrNotExist)

	// A pass that is interrupted leaves it.
	w.put(w.source, "m", "v")
	ctx, cancel := context.WithCancel(t.Context())
	w.destination.before = func(op, _ string) error {
		if op == "put" {
			cancel()
		}
		return nil
	}
	_, err = w.r.Sync(ctx, w.policy)
	require.ErrorIs(t, err, context.Canceled)
	require.FileExists(t, filepath.Join(w.r.config.stateDir, policyDir("p"), doubtName))
}
