package local

import (
	"crypto/rand"
	"os"
	"path/filepath"

	"github.com/objrepl/replication/internal/durable"
)

// newScratch makes a file in the system's directory for temporary files that
// is gone once it is closed, also by a crash. Should that directory be part of
// a store, its name is one that no listing shows.
func newScratch() (*os.File, error) {
	path := filepath.Join(os.TempDir(), durable.TempPrefix+rand.Text())
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL|deleteOnClose, 0o600)
	if err != nil || deleteOnClose != 0 {
		return f, err
	}
	if err := os.Remove(path); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}
