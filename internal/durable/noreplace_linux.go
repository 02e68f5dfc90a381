package durable

import (
	"os"

	"golang.org/x/sys/unix"
)

func renameExclusive(fromDir int, from string, toDir int, to string) error {
	err := unix.Renameat2(fromDir, from, toDir, to, unix.RENAME_NOREPLACE)
	if err == nil {
		return nil
	}
	if err == unix.EINVAL || err == unix.ENOSYS {
		// The file system does not know the flag, or the kernel the call.
		return os.NewSyscallError("renameat2", unix.ENOTSUP)
	}
	return &os.LinkError{Op: "renameat2", Old: from, New: to, Err: err}
}
