package replication

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/memory"
)

// An intent that is settled claims nothing more, however long another one keeps the
// policy in doubt: what somebody puts under the key later is theirs.
func TestASettledIntentClaimsNothing(t *testing.T) {
	w := newWithinWorld(t, memory.WithProperties(blindCopies))
	w.policy.MaxDelete = "off"
	for _, k := range []string{"a", "k", "z"} {
		w.put(w.source, k, "bytes of "+k)
	}
	w.destination.before = func(op, key string) error {
		if op == "copy" && key == "a" {
			return fmt.Errorf("%w: no answer", backend.ErrUnavailable)
		}
		return nil
	}
	_, err := w.sync()
	require.ErrorIs(t, err, ErrObjectsFailed)
	require.Len(t, w.intentFiles(), 1, "that of a")
	w.remove(w.source, "k")
	res, err := w.sync()
	require.ErrorIs(t, err, ErrObjectsFailed)
	require.EqualValues(t, 1, res.Deleted)
	w.put(w.destination, "k", "bytes of k")
	res, err = w.sync()
	require.ErrorIs(t, err, ErrObjectsFailed)
	require.Zero(t, res.Deleted)
	require.Contains(t, w.contents(w.destination), "k=bytes of k")
	w.destination.before = nil
	w.mustSync()
	require.Empty(t, w.intentFiles())
}

// One answer that is lost keeps its own intent, and not those of all that is copied
// after it.
func TestIntentsDoNotGrowWithWhatIsCopied(t *testing.T) {
	w := newWithinWorld(t, memory.WithProperties(blindCopies))
	const n = 5000
	for i := range n {
		w.put(w.source, fmt.Sprintf("%07d", i), "x")
	}
	first := true
	w.destination.after = func(op, key string) error {
		if op == "copy" && first && !strings.Contains(key, probeName) {
			first = false
			return fmt.Errorf("%w: lost", backend.ErrUnavailable)
		}
		return nil
	}
	require.EqualValues(t, n, w.mustSync().Synced)
	require.LessOrEqual(t, len(w.intentFiles()), 1)
}
