package replication

import (
	"context"
	"io/fs"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
)

// A mount is a destination on a file system that can be unmounted.
type mount struct {
	*hooked
	gone bool
}

func (m *mount) Volume(context.Context) (id string, whole bool, err error) {
	if m.gone {
		return "the disk below", false, nil
	}
	return "disk", true, nil
}

func (m *mount) Unwrap() backend.Backend { return m.hooked }

// unmount leaves the bare directory that the file system was mounted on.
func (m *mount) unmount(w *world) {
	m.gone = true
	for _, key := range []string{"a", "b"} {
		w.remove(w.destination, key)
	}
}

// newMountWorld makes a world with a dead letter, "b", whose destination is a mount.
func newMountWorld(t *testing.T) (*world, *mount) {
	w := newWorld(t)
	m := &mount{hooked: w.destination}
	w.wrap = func(*hooked) backend.Backend { return m }
	w.put(w.source, "a", "1")
	w.put(w.source, "b", "1")
	require.NoError(t, w.r.AddPolicy(t.Context(), w.policy))
	w.failing("put", "b")
	_, err := w.sync()
	require.ErrorIs(t, err, ErrObjectsFailed)
	w.destination.before = nil
	return w, m
}

// failing makes one operation fail for some keys.
func (w *world) failing(op string, keys ...string) {
	fails := map[string]bool{}
	for _, key := range keys {
		fails[key] = true
	}
	w.destination.before = func(o, key string) error {
		if o == op && fails[key] {
			return fs.ErrPermission
		}
		return nil
	}
}

func TestAfterAReplayAnUnmountedDestinationIsStillAnOutage(t *testing.T) {
	w, m := newMountWorld(t)
	_, err := w.r.Replay(t.Context(), "p")
	require.NoError(t, err)
	m.unmount(w)
	_, err = w.sync()
	require.ErrorIs(t, err, backend.ErrUnavailable)
	require.Empty(t, w.contents(w.destination))
}

func TestAReplayOfNothingRemembersTheMountAsWell(t *testing.T) {
	w, m := newMountWorld(t)
	w.mustSync()
	_, err := w.r.Replay(t.Context(), "p")
	require.NoError(t, err)
	m.unmount(w)
	_, err = w.sync()
	require.ErrorIs(t, err, backend.ErrUnavailable)
}

func TestAReplayWritesNothingToAnUnmountedDestination(t *testing.T) {
	w, m := newMountWorld(t)
	m.unmount(w)
	_, err := w.r.Replay(t.Context(), "p")
	require.ErrorIs(t, err, backend.ErrUnavailable)
	require.Empty(t, w.contents(w.destination))
	letters, err := w.r.Failures(t.Context(), "p")
	require.NoError(t, err)
	require.Len(t, letters, 1)
}
