//go:build linux || darwin

package local

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// fileSystemID returns what statfs(2) identifies a file system by, empty where
// that is nothing.
func fileSystemID(path string) (string, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil {
		return "", err
	}
	if st.Fsid == (unix.Fsid{}) {
		return "", nil
	}
	return fmt.Sprintf("%x", st.Fsid.Val), nil
}
