package replication

import (
	"io/fs"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
)

// A store that could not be asked may compare the tags of single deletions, and
// then a batch without tags would be less exact.
func TestAServerThatCannotBeAskedGetsEachDeletionWithItsTag(t *testing.T) {
	w, s := newServerWorld(t)
	w.policy.MaxDelete = "off"
	w.put(w.source, "stays", "1")
	for _, key := range []string{"a", "b", "c"} {
		w.put(w.source, key, "1")
	}
	w.destination.before = func(op, key string) error {
		switch {
		case op == "put" && isProbe(key):
			return fs.ErrPermission
		case op == "delete" && key == "b": // somebody else, after every look
			_, err := w.destination.Store.Put(t.Context(), "b", backend.Bytes([]byte("theirs")), backend.PutOptions{})
			return err
		}
		return nil
	}
	w.mustSync()
	for _, key := range []string{"a", "b", "c"} {
		w.remove(w.source, key)
	}
	*s.sent = nil
	res, err := w.sync()
	require.ErrorIs(t, err, ErrObjectsFailed)
	require.EqualValues(t, 2, res.Deleted)
	require.Equal(t, []string{"b=theirs", "stays=1"}, w.contents(w.destination))
	require.Equal(t, []string{deleteMatch, deleteMatch, deleteMatch}, *s.sent)
}
