package replication

import (
	"context"
	"io/fs"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
)

// removed wants a policy gone, whatever became of its uploads.
func (w *world) requireRemoved() {
	w.t.Helper()
	_, err := w.r.Policy("p")
	require.ErrorIs(w.t, err, ErrPolicyNotFound)
	_, err = w.r.state.Stat(policyDir("p"))
	require.ErrorIs(w.t, err, fs.ErrNotExist)
}

func TestARemovedPolicyLeavesNoUpload(t *testing.T) {
	for _, at := range moments() {
		t.Run(at.String(), func(t *testing.T) {
			w := newPartsWorld(t)
			require.NoError(t, w.r.AddPolicy(t.Context(), w.policy))
			w.put(w.source, "big", large("abcdefg"))
			require.True(t, w.dieAt(at))
			require.NoError(t, w.r.RemovePolicy(t.Context(), "p"))
			w.requireRemoved()
			require.Empty(t, w.destination.Uploads())
		})
	}
}

// Whoever removes a policy is told of each upload that stays, and can abort it.
func TestUploadsThatARemovedPolicyLeavesAreNamed(t *testing.T) {
	for name, c := range map[string]struct {
		fail func(w *world)
		want error
	}{
		"refused": {func(w *world) {
			w.destination.before = func(op, _ string) error {
				if op == "abort" {
					return fs.ErrPermission
				}
				return nil
			}
		}, fs.ErrPermission},
		"away": {func(w *world) {
			w.destination.before = func(string, string) error { return backend.ErrUnavailable }
		}, backend.ErrUnavailable},
		"cannot be opened": {func(w *world) {
			d := w.r.registry.drivers["test"]
			w.r.registry.drivers["test"] = closed{d}
		}, backend.ErrStoreNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			w := newPartsWorld(t)
			require.NoError(t, w.r.AddPolicy(t.Context(), w.policy))
			w.put(w.source, "big", large("abcdefg"))
			require.True(t, w.dieAt(moment{"part 6", false}))
			c.fail(w)
			err := w.r.RemovePolicy(t.Context(), "p")
			require.ErrorIs(t, err, c.want)
			require.ErrorContains(t, err, `"big"`)
			require.ErrorContains(t, err, `"`+w.destination.Uploads()[0]+`"`)
			w.requireRemoved()
		})
	}
}

type closed struct{ backend.Driver }

func (closed) Open(context.Context, backend.Settings) (backend.Backend, error) {
	return nil, backend.ErrStoreNotFound
}

func TestARemovalThatIsInterruptedRemovesNothing(t *testing.T) {
	w := newPartsWorld(t)
	require.NoError(t, w.r.AddPolicy(t.Context(), w.policy))
	w.put(w.source, "big", large("abcdefg"))
	require.True(t, w.dieAt(moment{"part 6", false}))
	ctx, cancel := context.WithCancel(t.Context())
	w.destination.before = func(op, _ string) error {
		if op == "abort" {
			cancel()
			return ctx.Err()
		}
		return nil
	}
	require.ErrorIs(t, w.r.RemovePolicy(ctx, "p"), context.Canceled)
	w.destination.before = nil
	_, err := w.r.Policy("p")
	require.NoError(t, err)
	require.NoError(t, w.r.RemovePolicy(t.Context(), "p"))
	w.requireRemoved()
	require.Empty(t, w.destination.Uploads())
}
