package replication

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
)

func TestAProbeThatMayNotDeleteLeavesOneObjectWhateverHappens(t *testing.T) {
	w, _ := newServerWorld(t)
	calls := new(keyedCalls)
	w.destination.before = func(op, _ string) error {
		if op == "delete" {
			return fs.ErrPermission
		}
		return nil
	}
	calls.watch(w.destination)
	w.policy.Deletes = KeepDeleted
	w.put(w.source, "a", "1")
	w.mustSync()
	require.Len(t, w.contents(w.destination), 2)
	require.Equal(t, []string{`destination "test" could not be asked whether it can delete conditionally: its tag is looked at just before, and a change in between is lost`}, w.weaker())
	calls.take()
	w.put(w.source, "a", "2")
	w.mustSync()
	require.Equal(t, []string{"put a"}, calls.take(), "the rest is known")
	w.requireQuiet()

	file, err := w.probeState().read()
	require.NoError(t, err)
	require.Len(t, file.Left, 1)
	file.Objects.Asked = time.Time{}
	require.NoError(t, w.probeState().write(file))
	w.put(w.source, "a", "3")
	w.mustSync()
	require.Len(t, w.contents(w.destination), 2, "the next probe takes the same object")
	require.Equal(t, 4, count(calls.take(), "put probe"))

	w.destination.before = nil
	file, err = w.probeState().read()
	require.NoError(t, err)
	file.Objects.Asked = time.Time{}
	require.NoError(t, w.probeState().write(file))
	w.put(w.source, "a", "4")
	w.mustSync()
	require.Empty(t, w.weaker())
	w.requireNoProbe()
}

func TestACancelledProbeCleansUp(t *testing.T) {
	for _, at := range []string{"put", "delete", "part", "complete"} {
		t.Run(at, func(t *testing.T) {
			w, _ := newServerWorld(t)
			ctx, cancel := context.WithCancel(t.Context())
			w.destination.after = func(op, key string) error {
				if op == at && isProbe(key) {
					cancel()
				}
				return nil
			}
			w.largeFrom(4)
			w.put(w.source, "large", "0123456789")
			_, err := w.r.Sync(ctx, w.policy)
			require.ErrorIs(t, err, context.Canceled)
			for _, object := range w.contents(w.destination) {
				require.NotContains(t, object, probeName)
			}
			w.destination.after = nil
			w.mustSync()
			w.requireEqual()
			require.Empty(t, w.weaker())
			w.requireNoProbe()
		})
	}
}

// A process that is killed in a probe leaves its object, its upload, and a word
// of them in the state.
func TestWhatAKilledProbeLeftIsRemovedByTheNextPass(t *testing.T) {
	for _, at := range []string{"put", "part"} {
		t.Run(at, func(t *testing.T) {
			w, _ := newServerWorld(t)
			w.largeFrom(4)
			w.put(w.source, "large", "0123456789")
			state, saved := w.r.config.stateDir, filepath.Join(t.TempDir(), "saved")
			var probe string
			seen := 0
			w.destination.after = func(op, key string) error {
				// The last probe that gets so far, as it is then.
				if op == at && isProbe(key) {
					probe = key
					if seen++; seen == 1 {
						require.NoError(t, os.CopyFS(saved, os.DirFS(state)))
					}
				}
				return nil
			}
			w.mustSync()
			w.destination.after = nil
			f, err := probeState{root: mustRoot(t, saved), location: w.destination.Properties().Location}.read()
			require.NoError(t, err)
			require.Len(t, f.Left, 1)
			// The store as the killed process left it.
			w.put(w.destination, f.Left[0].Key, "a probe's")
			if at == "part" {
				_, err := w.destination.UploadParts(t.Context(), probe, backend.PartsOptions{PartSize: 4})
				require.NoError(t, err)
				require.NotEmpty(t, f.Left[0].Upload)
				f.Left[0].Upload = w.destination.Uploads()[0]
				require.NoError(t, probeState{root: mustRoot(t, saved), location: w.destination.Properties().Location}.write(f))
			}
			w.restart(saved)
			w.mustSync() // it has nothing to write, and so asks nothing
			w.requireNoProbe()
			w.requireEqual()
			w.requireQuiet()
		})
	}
}

func mustRoot(t *testing.T, dir string) *os.Root {
	root, err := os.OpenRoot(dir)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, root.Close()) })
	return root
}

func TestNoPassSeesAProbe(t *testing.T) {
	const theirs = "d/" + probeName + "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	require.True(t, isProbe(theirs))
	require.False(t, isProbe(probeName))
	require.True(t, isProbe(theirs+"/a"), "what a Trial writes")
	require.False(t, isProbe(theirs+"b"))
	require.False(t, isProbe(theirs+"b/a"))
	w, _ := newServerWorld(t)
	w.put(w.source, "a", "1")
	w.put(w.source, theirs, "a leftover of a chain of policies")
	w.mustSync()
	require.Equal(t, []string{"a=1"}, w.contents(w.destination))
	w.put(w.destination, theirs, "a leftover of another state directory")
	w.requireQuiet()
	v, err := w.r.VerifyOf(t.Context(), w.policy)
	require.NoError(t, err)
	require.Empty(t, v.Findings)
}
