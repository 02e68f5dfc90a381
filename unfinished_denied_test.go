package replication

import (
	"io/fs"
	"testing"
)

// A server that was killed amid a request may say of an upload that there is
// none, and have its parts all the same.
func TestAnUploadThatItsStoreDeniesIsAbortedAllTheSame(t *testing.T) {
	w := newPartsWorld(t)
	w.put(w.source, "big", large("abcdefg"))
	w.interrupted(6)
	w.restartParts()
	denied := false
	w.destination.before = func(op, _ string) error {
		if op == "resume" && !denied {
			denied = true
			return fs.ErrNotExist
		}
		return nil
	}
	w.mustSync()
	w.requireEqual()
	w.requireNoUploads()
}
