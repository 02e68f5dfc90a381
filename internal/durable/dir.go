package durable

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// SyncDir makes the names in dir durable. On Windows, which has no such call,
// it does nothing.
func SyncDir(root *os.Root, dir string) error {
	f, err := openDir(root, dir)
	if err != nil || f == nil {
		return err
	}
	defer f.Close()
	return syncDir(f)
}

// MkdirAll makes dir and its missing parents and flushes each directory in
// which it made one: a file is only as durable as every name on the way to it.
func MkdirAll(root *os.Root, dir string, perm fs.FileMode, opts ...Option) error {
	o := apply(opts)
	dir = filepath.Clean(dir)
	// The common case is one look at a directory that is there.
	if info, err := root.Stat(dir); err == nil && info.IsDir() {
		return nil
	}
	parent := filepath.Dir(dir)
	if parent != dir && parent != "." {
		if err := MkdirAll(root, parent, perm, opts...); err != nil {
			return err
		}
	}
	if err := root.Mkdir(dir, perm); err != nil {
		// Somebody else may have made it meanwhile; a file in its place is
		// still an error.
		if info, statErr := root.Stat(dir); statErr != nil || !info.IsDir() {
			return err
		}
	}
	if o.noSync {
		return nil
	}
	return SyncDir(root, parent)
}

// syncDir tolerates file systems that cannot flush a directory at all (some
// FUSE and network ones): there is nothing else that could be done there.
func syncDir(dir *os.File) error {
	err := flushFile(dir)
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported) || errors.Is(err, syscall.ENOTTY) {
		return nil
	}
	return err
}
