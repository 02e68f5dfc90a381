package replication

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// A pass that holds deletions back has seen every object all the same.
func TestAPassThatHoldsDeletionsBackAbortsUploads(t *testing.T) {
	for name, class := range map[string]error{"brake": ErrBrake, "empty source": ErrEmptySource} {
		t.Run(name, func(t *testing.T) {
			w := newPartsWorld(t)
			w.policy.MaxDelete = "1"
			for _, key := range []string{"a", "b"} {
				w.put(w.source, key, key)
			}
			w.mustSync()
			w.put(w.source, "big", large("x"))
			w.interrupted(6)
			for _, key := range []string{"a", "b", "big"} {
				w.remove(w.source, key)
			}
			if class == ErrBrake {
				w.put(w.source, "stays", "1")
			}
			_, err := w.sync()
			require.ErrorIs(t, err, class)
			w.requireNoUploads()
		})
	}
}
