package replication

import (
	"io/fs"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/memory"
)

// discardingParts makes a world that moves one object to the trash in parts.
func discardingParts(t *testing.T) *world {
	w := newWorld(t)
	w.destination.Store = memory.NewBackend(memory.WithProperties(func(p *backend.Properties) { p.MaxCopy, p.MaxPut = 1, 500 }))
	w.smallParts()
	w.policy.TrashPrefix, w.policy.MaxDelete = ".trash/", "off"
	w.put(w.source, "big", large("content"))
	w.put(w.source, "stays", "1")
	w.mustSync()
	w.remove(w.source, "big")
	return w
}

// However a move to the trash in parts is cut short, the next pass finishes it
// and leaves no upload.
func TestNoMomentOfAMoveInPartsLeavesAnUpload(t *testing.T) {
	for _, at := range moments("delete") {
		t.Run(at.String(), func(t *testing.T) {
			w := discardingParts(t)
			require.True(t, w.dieAt(at))
			w.mustSync()
			w.requireNoUploads()
			require.True(t, w.holds(".trash/", "Z/big"))
			require.False(t, w.holds("big", ""))
			w.requireQuiet()
		})
	}
}

// An upload that the store has lost is not the object that it was to hold.
func TestALostUploadToTheTrashDeletesNothing(t *testing.T) {
	for _, op := range []string{"part 3", "complete"} {
		t.Run(op, func(t *testing.T) {
			w := discardingParts(t)
			w.destination.before = func(o, key string) error {
				if o == op && key != "big" {
					return &backend.Error{Op: o, Backend: "test", Key: key, Err: fs.ErrNotExist}
				}
				return nil
			}
			res, err := w.sync()
			require.ErrorIs(t, err, ErrObjectsFailed)
			require.Zero(t, res.Deleted)
			w.destination.before = nil
			require.EqualValues(t, 1, w.mustSync().Deleted, "it is still known to be ours")
			require.True(t, w.holds(".trash/", "Z/big"))
			w.requireNoUploads()
		})
	}
}

// What cannot be aborted now is by a later pass.
func TestAnUploadToTheTrashThatCannotBeAbortedIsLater(t *testing.T) {
	w := discardingParts(t)
	w.destination.before = func(op, _ string) error {
		if op == "part 3" || op == "abort" {
			return fs.ErrPermission
		}
		return nil
	}
	_, err := w.sync()
	require.ErrorIs(t, err, ErrObjectsFailed)
	w.destination.before = nil
	w.mustSync()
	w.requireNoUploads()
}
