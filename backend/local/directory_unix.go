//go:build unix

package local

import (
	"io/fs"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/objrepl/replication/backend"
)

// noWait keeps the open of a FIFO or terminal from waiting for its other end.
const noWait = unix.O_NONBLOCK | unix.O_NOCTTY

// A directory is an open directory below the store. Its methods take one name,
// never a path, and never follow a symbolic link, so that whatever is swapped
// meanwhile they act inside of this very directory.
type directory struct {
	f      *os.File
	shared bool // the store's own, closed with the store
}

func openTop(root *os.Root) (directory, error) {
	f, err := root.Open(".")
	return directory{f: f, shared: true}, err
}

func (d directory) closeTop() { d.f.Close() }

func (d directory) close() {
	if !d.shared {
		d.f.Close()
	}
}

func (d directory) fd() int { return int(d.f.Fd()) }

// open opens the directory path, "" for the top, for reading its names or just
// for reaching what is in it. Unless links are followed every part of the path
// is a real directory; a link in it fails with ELOOP or ENOTDIR. Followed
// links are resolved by os.Root, which keeps them inside.
func (h *handle) open(path string, follow, read bool) (directory, error) {
	if path == "" {
		if !read {
			return h.top, nil
		}
		path = "." // a position of its own for reading
	}
	if follow {
		// The trailing "." makes os.Root insist on a directory, so that a FIFO
		// in its place cannot block the call.
		f, err := h.root.Open(path + "/.")
		return directory{f: f}, err
	}
	fd, err := openBeneath(h.top.fd(), path, read)
	if err != nil {
		return directory{}, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return directory{f: os.NewFile(uintptr(fd), path)}, nil
}

// walkBeneath opens path one name at a time without following links.
func walkBeneath(top int, path string, read bool) (int, error) {
	at := top
	for rest := path; ; {
		var name string
		name, rest, _ = strings.Cut(rest, "/")
		flags := unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC
		if !read || rest != "" {
			flags |= searchOnly
		}
		fd, err := retry(func() (int, error) { return unix.Openat(at, name, flags, 0) })
		if at != top {
			unix.Close(at)
		}
		if err != nil || rest == "" {
			return fd, err
		}
		at = fd
	}
}

// stat looks at a name without following it.
func (d directory) stat(name string) (version, error) { return d.statAt(name, now()) }

func (d directory) statAt(name string, seen moment) (version, error) {
	var st unix.Stat_t
	_, err := retry(func() (int, error) { return 0, unix.Fstatat(d.fd(), name, &st, unix.AT_SYMLINK_NOFOLLOW) })
	if err != nil {
		return version{}, &fs.PathError{Op: "stat", Path: name, Err: err}
	}
	return versionOfStat(&st, seen), nil
}

// openFile opens a regular file for reading. A FIFO, socket or device that has
// taken the name is neither waited for nor read from.
func (d directory) openFile(name string) (*os.File, version, error) {
	fd, err := retry(func() (int, error) {
		return unix.Openat(d.fd(), name, unix.O_RDONLY|unix.O_NOFOLLOW|noWait|unix.O_CLOEXEC, 0)
	})
	if err == unix.ENXIO || err == unix.EOPNOTSUPP {
		return nil, version{}, errNotRegular // a socket, or a device that nobody serves
	}
	if err != nil {
		return nil, version{}, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	var st unix.Stat_t
	seen := now()
	if err = unix.Fstat(fd, &st); err == nil && st.Mode&unix.S_IFMT == unix.S_IFREG {
		if err = unix.SetNonblock(fd, false); err == nil {
			return os.NewFile(uintptr(fd), name), versionOfStat(&st, seen), nil
		}
	}
	unix.Close(fd)
	if err == nil {
		err = errNotRegular
	}
	return nil, version{}, err
}

// unlink removes a name that is not a directory. os.Root.Remove would go on to
// remove an empty directory.
func (d directory) unlink(name string) error {
	if err := unix.Unlinkat(d.fd(), name, 0); err != nil {
		return &fs.PathError{Op: "unlink", Path: name, Err: err}
	}
	return nil
}

// rmdir removes an empty directory and nothing else. os.Root.Remove would
// first try to remove a file, and so delete the object that just took the name.
func (d directory) rmdir(name string) error {
	if err := unix.Unlinkat(d.fd(), name, unix.AT_REMOVEDIR); err != nil {
		return &fs.PathError{Op: "rmdir", Path: name, Err: err}
	}
	return nil
}

// identity names the directory for finding loops.
func (d directory) identity() (version, error) {
	info, err := d.f.Stat()
	if err != nil {
		return version{}, err
	}
	return versionOf(info, moment{}), nil
}

var errNotRegular = &classified{class: backend.ErrNotRegular, cause: "a FIFO, socket or device",
	hint: "move it out of the store's directory, or replace it by a file"}

func retry(call func() (int, error)) (int, error) {
	for {
		n, err := call()
		if err != unix.EINTR {
			return n, err
		}
	}
}

func modeOf(m uint32) fs.FileMode {
	mode := fs.FileMode(m & 0o777)
	switch m & unix.S_IFMT {
	case unix.S_IFREG:
	case unix.S_IFDIR:
		mode |= fs.ModeDir
	case unix.S_IFLNK:
		mode |= fs.ModeSymlink
	case unix.S_IFIFO:
		mode |= fs.ModeNamedPipe
	case unix.S_IFSOCK:
		mode |= fs.ModeSocket
	default:
		mode |= fs.ModeDevice
	}
	return mode
}
