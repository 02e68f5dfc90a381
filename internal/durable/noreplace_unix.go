//go:build unix

package durable

import (
	"os"
	"path/filepath"
)

// renameNoReplace is an exclusive rename where the system has one; otherwise
// it fails with errors.ErrUnsupported. Both directories are opened through the
// root, so the rename stays inside of it.
func renameNoReplace(root *os.Root, from, to string) error {
	fromDir, err := openDir(root, filepath.Dir(from))
	if err != nil {
		return err
	}
	defer fromDir.Close()
	toDir, err := openDir(root, filepath.Dir(to))
	if err != nil {
		return err
	}
	defer toDir.Close()
	return renameExclusive(int(fromDir.Fd()), filepath.Base(from), int(toDir.Fd()), filepath.Base(to))
}
