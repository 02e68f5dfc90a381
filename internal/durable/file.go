package durable

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// TempPrefix begins the name of every temporary file of this package, so that
// listings can hide them and a sweep can find them.
const TempPrefix = ".objrepl-tmp-"

// ErrNotSynced: the file has its name, but its directory could not be flushed.
// Readers see the new content; whether a power cut would undo it is unknown.
var ErrNotSynced = errors.New("written, but not known to be on disk")

// A File is a temporary file on its way to its name. Write to it, then Commit;
// a deferred Abort cleans up on every other path. It is for one goroutine.
type File struct {
	*os.File
	root *os.Root
	temp string // relative to root; empty once it is gone or has become the file
	info fs.FileInfo

	flushed bool  // content is known to be on disk
	closed  bool  // descriptor given back
	broken  error // a flush failed: the kernel may have dropped the bytes
}

// Create makes a temporary file in dir, which is relative to root and exists.
// dir has to be on the file system of the later name. Its mode is 0666 before
// the umask.
func Create(root *os.Root, dir string) (*File, error) {
	return create(root, dir, 0o666)
}

func create(root *os.Root, dir string, perm fs.FileMode) (*File, error) {
	// rand.Text has 128 bits: a name that nobody can guess cannot be taken, or
	// be turned into a link, by somebody else. O_EXCL covers the rest.
	temp := filepath.Join(dir, TempPrefix+rand.Text())
	f, err := root.OpenFile(temp, os.O_RDWR|os.O_CREATE|os.O_EXCL, perm)
	if err != nil {
		return nil, err
	}
	return &File{File: f, root: root, temp: temp}, nil
}

// TempName is the temporary name relative to the root, empty after Commit and
// Abort. It is for what only works by name, such as setting times.
func (f *File) TempName() string { return f.temp }

// An Option changes what Commit and MkdirAll do.
type Option func(*options)

type options struct {
	exclusive, noSync bool
	info              *fs.FileInfo
}

// Exclusive makes Commit fail with fs.ErrExist when the name is taken, by
// whatever kind of file. Of any number of racing commits one succeeds.
func Exclusive() Option { return func(o *options) { o.exclusive = true } }

// NoSync leaves out every flush: still whole or not there for readers, but a
// power cut may lose the file or leave it empty.
func NoSync() Option { return func(o *options) { o.noSync = true } }

// Info receives what fstat says of the file after its last change and before
// it gets its name. Renaming moves the status change time, nothing else.
func Info(info *fs.FileInfo) Option { return func(o *options) { o.info = info } }

func apply(opts []Option) (o options) {
	for _, opt := range opts {
		opt(&o)
	}
	return o
}

// Commit gives the file its name and makes it durable. The directory of name
// has to exist. On an error the name is as it was before, unless the error is
// ErrNotSynced; Commit may then be called again (say, after making a missing
// directory), or Abort.
func (f *File) Commit(name string, opts ...Option) error {
	o := apply(opts)
	if f.temp == "" {
		return fmt.Errorf("commit %s: %w", name, os.ErrClosed)
	}
	if err := f.seal(o); err != nil {
		return err
	}
	// Open the directory before the file gets its name: a directory that
	// cannot be opened then fails the commit while nothing has changed.
	var dir *os.File
	if !o.noSync {
		var err error
		if dir, err = openDir(f.root, filepath.Dir(name)); err != nil {
			return err
		}
		if dir != nil {
			defer dir.Close()
		}
	}
	var err error
	if o.exclusive {
		err = f.link(name)
	} else {
		err = f.root.Rename(f.temp, name)
	}
	if err != nil {
		return err
	}
	f.temp = ""
	// The new directory entry is in memory only until its directory is flushed.
	if dir != nil {
		if err := syncDir(dir); err != nil {
			return fmt.Errorf("%w: %v", ErrNotSynced, err)
		}
	}
	return nil
}

// Seal flushes and closes the file ahead of Commit, which otherwise does it:
// for callers that hold a lock while they commit.
func (f *File) Seal(opts ...Option) error {
	if f.temp == "" {
		return fmt.Errorf("seal: %w", os.ErrClosed)
	}
	return f.seal(apply(opts))
}

// seal flushes before the rename because a file system may write a rename to
// disk before the bytes of the file, and leave an empty or torn file under the
// final name after a power cut.
func (f *File) seal(o options) error {
	err := f.flush(!o.noSync)
	if err == nil && o.info != nil {
		*o.info = f.info
	}
	return err
}

func (f *File) flush(sync bool) error {
	if f.broken != nil {
		return f.broken
	}
	if sync && !f.flushed {
		if f.closed {
			return fmt.Errorf("commit: flush after an unflushed commit: %w", os.ErrClosed)
		}
		if err := flushFile(f.File); err != nil {
			// After a failed fsync the kernel marks the pages clean: another
			// fsync would succeed without the bytes being on disk.
			f.broken = err
			return err
		}
		f.flushed = true
	}
	if f.closed {
		return nil
	}
	info, err := f.File.Stat()
	if err != nil {
		return err
	}
	f.info, f.closed = info, true
	// Network file systems report a full disk or quota as late as here.
	if err := f.File.Close(); err != nil {
		f.broken = err
		return err
	}
	return nil
}

// link gives the file its name only where the name is free. link(2) is atomic
// and known to every local file system, so it comes first.
func (f *File) link(name string) error {
	err := linkAt(f.root, f.temp, name)
	switch {
	case err == nil:
		// A temporary name that stays is a second name of the same file:
		// harmless, and removed by the next sweep.
		_ = f.root.Remove(f.temp)
		return nil
	case errors.Is(err, fs.ErrExist):
		// Over NFS the answer to a link that succeeded can get lost; the
		// repeated request then finds our own link in its place.
		if at, statErr := f.root.Lstat(name); statErr == nil && os.SameFile(at, f.info) {
			_ = f.root.Remove(f.temp)
			return nil
		}
		return err
	case errors.Is(err, syscall.EPERM), errors.Is(err, errors.ErrUnsupported), errors.Is(err, syscall.EOPNOTSUPP):
		// No hard links here (FAT, some FUSE and network file systems).
		if err2 := renameNoReplace(f.root, f.temp, name); !errors.Is(err2, errors.ErrUnsupported) {
			return err2
		}
		return fmt.Errorf("create %s only if it is absent: %w (%v)", name, errors.ErrUnsupported, err)
	}
	return err
}

// Variables, so that tests can watch the order of flushes and stand in for a
// file system without hard links.
var (
	flushFile = (*os.File).Sync
	linkAt    = (*os.Root).Link
)

// Abort closes and removes the temporary file. After Commit, or a second time,
// it does nothing.
func (f *File) Abort() error {
	if !f.closed {
		f.closed = true
		_ = f.File.Close()
	}
	if f.temp == "" {
		return nil
	}
	temp := f.temp
	f.temp = ""
	return f.root.Remove(temp)
}

// WriteFile replaces name, whose directory exists, with a file that holds data,
// with perm before the umask. It is durable when it returns.
func WriteFile(root *os.Root, name string, data []byte, perm fs.FileMode) error {
	f, err := create(root, filepath.Dir(name), perm)
	if err != nil {
		return err
	}
	defer f.Abort()
	if _, err := f.Write(data); err != nil {
		return err
	}
	return f.Commit(name)
}
