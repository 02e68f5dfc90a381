package replication

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend/memory"
)

// Whatever a store has against copying a part, the object goes through the client.
func TestAPartThatTheStoreWillNotCopyGoesThroughTheClient(t *testing.T) {
	w := newPartsWorld(t, memory.WithService("one"), memory.WithProperties(blindCopies)) // so that large objects go by parts
	w.put(w.source, "k", large("x"))
	refused := false
	w.destination.before = func(op, _ string) error {
		if strings.HasPrefix(op, "copy part") {
			refused = true
			return errors.New("an argument is invalid")
		}
		return nil
	}
	res := w.mustSync()
	require.True(t, refused)
	require.EqualValues(t, 1, res.Synced)
	require.Zero(t, res.BytesInStore)
	w.requireEqual()
	w.requireQuiet()
	require.Empty(t, w.destination.Uploads())
}
