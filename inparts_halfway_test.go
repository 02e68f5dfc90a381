package replication

import (
	"io/fs"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
)

// A store that was killed while it completed an upload may refuse it for ever, and
// take the next one.
func TestAnUploadThatWentHalfWayIsMadeAnew(t *testing.T) {
	for name, first := range map[string]error{"in another process": fs.ErrPermission, "in this one": backend.ErrUnavailable} {
		t.Run(name, func(t *testing.T) {
			w := newPartsWorld(t)
			w.put(w.source, "big", large("abcdefg"))
			var tries atomic.Int64
			w.destination.before = func(op, _ string) error {
				if op != "complete" {
					return nil
				}
				switch tries.Add(1) {
				case 1:
					return first
				case 2:
					return backend.ErrInvalidKey
				}
				return nil
			}
			if first == fs.ErrPermission {
				_, err := w.sync()
				require.ErrorIs(t, err, first)
				w.restartParts()
			}
			require.EqualValues(t, 1, w.mustSync().Synced)
			require.EqualValues(t, 3, tries.Load())
			w.requireEqual()
			w.requireNoUploads()
			w.requireQuiet()
		})
	}
}

// Where the key itself is refused, no pass sends the object again.
func TestAKeyThatIsRefusedAtTheEndIsSentOnce(t *testing.T) {
	w := newPartsWorld(t)
	w.put(w.source, "big", large("abcdefg"))
	w.destination.before = func(op, _ string) error {
		if op == "complete" {
			return backend.ErrInvalidKey
		}
		return nil
	}
	for pass := range 3 {
		_, err := w.sync()
		require.ErrorIs(t, err, backend.ErrInvalidKey)
		calls := uploadCalls(w.destination)
		require.Equal(t, 1, count(calls, "complete"))
		if pass > 0 {
			require.Zero(t, count(calls, "part"))
			require.Zero(t, count(calls, "begin"))
		}
		w.restartParts()
	}
}
