package replication

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
)

// undeletable makes a world of ten objects, "0" to "9", some of which the source
// has lost and the destination would not delete: dead letters.
func undeletable(t *testing.T, gone ...string) *world {
	w := newWorld(t)
	w.policy.MaxDelete = "off"
	require.NoError(t, w.r.AddPolicy(t.Context(), w.policy))
	for i := range 10 {
		w.put(w.source, fmt.Sprint(i), "v")
	}
	w.mustSync()
	for _, key := range gone {
		w.remove(w.source, key)
	}
	w.failing("delete", gone...)
	_, err := w.sync()
	require.ErrorIs(t, err, ErrObjectsFailed)
	w.requireAttempts(1, gone...)
	return w
}

// requireAttempts wants these dead letters, each after so many attempts.
func (w *world) requireAttempts(attempts int, keys ...string) {
	w.t.Helper()
	letters, err := w.r.Failures(w.t.Context(), "p")
	require.NoError(w.t, err)
	var got []string // nil as keys are where there are none
	for _, d := range letters {
		got = append(got, d.Key)
		require.Equal(w.t, attempts, d.Attempts)
	}
	require.Equal(w.t, keys, got)
}

func (w *world) replay() (SyncResult, error) { return w.r.Replay(w.t.Context(), "p") }

func (w *world) allowMaxDelete(limit string) {
	w.policy.MaxDelete = limit
	require.NoError(w.t, w.r.UpdatePolicy(w.t.Context(), w.policy))
}

func TestAReplayTriesADeletionAgain(t *testing.T) {
	w := undeletable(t, "1")
	_, err := w.replay()
	require.ErrorIs(t, err, ErrObjectsFailed)
	w.requireAttempts(2, "1")
	w.destination.before = nil
	w.remove(w.source, "2") // no dead letter
	res, err := w.replay()
	require.NoError(t, err)
	require.EqualValues(t, 1, res.Deleted)
	w.requireAttempts(0)
	require.Len(t, w.contents(w.destination), 9)
	require.EqualValues(t, 1, w.mustSync().Deleted)
	w.requireEqual()
}

func TestAReplayMovesToTheTrashWhatAPassWould(t *testing.T) {
	w := discarding(t, 1)
	require.NoError(t, w.r.AddPolicy(t.Context(), w.policy))
	w.failing("delete", "gone00")
	_, err := w.sync()
	require.ErrorIs(t, err, ErrObjectsFailed)
	w.destination.before = nil
	_, err = w.replay()
	require.NoError(t, err)
	objects, _ := w.trashed()
	require.Equal(t, []string{"gone00=content 0"}, objects)
	w.requireQuiet()
}

// What the brake goes by is all that the policy has, not the dead letters alone.
func TestTheBrakeHoldsTheDeletionsOfAReplay(t *testing.T) {
	w := undeletable(t, "1", "2")
	w.destination.before = nil
	w.allowMaxDelete("19%")
	_, err := w.replay()
	require.ErrorIs(t, err, ErrBrake)
	require.Len(t, w.contents(w.destination), 10)
	w.requireAttempts(1, "1", "2")
	w.allowMaxDelete("20%")
	res, err := w.replay()
	require.NoError(t, err)
	require.EqualValues(t, 2, res.Deleted)
	w.requireAttempts(0)
}

func TestAReplayDeletesNothingWhileTheSourceIsEmpty(t *testing.T) {
	w := undeletable(t, "1")
	w.destination.before = nil
	w.policy.Exclude = []string{"not asked for"}
	w.allowMaxDelete("off")
	for i := range 10 {
		w.remove(w.source, fmt.Sprint(i))
	}
	w.put(w.source, "not asked for", "v")
	_, err := w.replay()
	require.ErrorIs(t, err, ErrEmptySource)
	require.Len(t, w.contents(w.destination), 10)
	w.requireAttempts(1, "1")
}

func TestAPassThatHoldsDeletionsBackForgetsNoDeadLetterOfThem(t *testing.T) {
	w := undeletable(t, "1", "2")
	w.allowMaxDelete("1")
	_, err := w.sync()
	require.ErrorIs(t, err, ErrBrake)
	w.requireAttempts(1, "1", "2")
	w.remove(w.destination, "2")
	_, err = w.sync()
	require.ErrorIs(t, err, ErrObjectsFailed)
	w.requireAttempts(2, "1")
}

// Of an object that cannot be looked at for a moment nobody knows whose it is.
func TestAReplayForgetsNoObjectThatItCouldNotLookAt(t *testing.T) {
	w := undeletable(t, "1")
	busy := w.r.again.attempts
	w.destination.before = func(op, key string) error {
		if op == "stat" && key == "1" && busy > 0 {
			busy--
			return backend.ErrThrottled
		}
		return nil
	}
	_, err := w.replay()
	require.NoError(t, err)
	require.Zero(t, busy)
	w.requireAttempts(1, "1")
	require.EqualValues(t, 1, w.mustSync().Deleted)
	w.requireEqual()
}

// A directory that could not be listed has no key that can be asked for.
func TestAReplayLeavesADirectoryToTheNextPass(t *testing.T) {
	w := newWorld(t)
	w.policy.Include = []string{"**/*.txt"}
	w.wrapSource = func(h *hooked) backend.Backend { return fileSystem{h} }
	require.NoError(t, w.r.AddPolicy(t.Context(), w.policy))
	w.put(w.source, "d/a.txt", "1")
	w.source.page = func(page []backend.Object) (out []backend.Object) {
		for _, o := range page {
			if strings.HasPrefix(o.Key, "d/") {
				o = backend.Object{Key: "d/", Problem: backend.ErrUnavailable}
			}
			out = append(out, o)
		}
		return out
	}
	_, err := w.sync()
	require.ErrorIs(t, err, ErrObjectsFailed)
	w.requireAttempts(1, "d/")
	w.source.page = nil
	_, err = w.replay()
	require.NoError(t, err)
	w.requireAttempts(1, "d/")
	require.EqualValues(t, 1, w.mustSync().Synced)
	w.requireAttempts(0)
}

// A fileSystem has no object whose name ends like that of a directory.
type fileSystem struct{ *hooked }

func (f fileSystem) Unwrap() backend.Backend { return f.hooked }

func (f fileSystem) Properties() backend.Properties {
	p := f.hooked.Properties()
	p.CheckKey = func(key string) error {
		if strings.HasSuffix(key, "/") {
			return backend.ErrInvalidKey
		}
		return nil
	}
	return p
}
