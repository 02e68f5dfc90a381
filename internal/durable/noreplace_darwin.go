package durable

import (
	"os"

	"golang.org/x/sys/unix"
)

func renameExclusive(fromDir int, from string, toDir int, to string) error {
	if err := unix.RenameatxNp(fromDir, from, toDir, to, unix.RENAME_EXCL); err != nil {
		return &os.LinkError{Op: "renameatx_np", Old: from, New: to, Err: err}
	}
	return nil
}
