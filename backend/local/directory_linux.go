package local

import (
	"bytes"
	"encoding/binary"
	"io/fs"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// noOpenat2 is set when the kernel or a seccomp filter does not know openat2,
// which came with Linux 5.6.
var noOpenat2 atomic.Bool

// searchOnly opens a directory for passing through, which does not need the
// permission to read it.
const searchOnly = unix.O_PATH

// openBeneath opens a directory below top without following any link: one call
// whatever the depth.
func openBeneath(top int, path string, read bool) (int, error) {
	how := unix.OpenHow{
		Flags:   unix.O_DIRECTORY | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS,
	}
	if !read {
		how.Flags |= searchOnly
	}
	for !noOpenat2.Load() {
		fd, err := unix.Openat2(top, path, &how)
		switch err {
		case unix.EINTR, unix.EAGAIN: // EAGAIN: something was renamed on the way
			continue
		case unix.ENOSYS, unix.EPERM:
			noOpenat2.Store(true)
			continue
		}
		return fd, err
	}
	return walkBeneath(top, path, read)
}

// names calls fn for every name in the directory with what kind of file it is,
// in no order. The name is only valid during the call. It reads the directory
// itself rather than through os.File.ReadDir, which stats every entry of a
// directory opened through os.Root, whether or not a listing is after it.
func (d directory) names(fn func(name []byte, kind fs.FileMode) error) error {
	buf := direntBufs.Get().(*[]byte)
	defer direntBufs.Put(buf)
	for {
		n, err := retry(func() (int, error) { return unix.Getdents(d.fd(), *buf) })
		if err != nil {
			return &fs.PathError{Op: "readdir", Path: d.f.Name(), Err: err}
		}
		if n == 0 {
			return nil
		}
		// struct linux_dirent64: ino 8, offset 8, record length 2, type 1, name.
		const header = 19
		for rest := (*buf)[:n]; len(rest) >= header; {
			size := int(binary.NativeEndian.Uint16(rest[16:]))
			if size < header || size > len(rest) {
				return &fs.PathError{Op: "readdir", Path: d.f.Name(), Err: unix.EIO}
			}
			name, _, _ := bytes.Cut(rest[header:size], []byte{0})
			kind := kindOf(rest[18])
			rest = rest[size:]
			if string(name) == "." || string(name) == ".." {
				continue
			}
			if kind == unknownKind {
				v, err := d.stat(string(name))
				if missing(err) {
					continue
				}
				if err != nil {
					return err
				}
				kind = v.mode.Type()
			}
			if err := fn(name, kind); err != nil {
				return err
			}
		}
	}
}

var direntBufs = sync.Pool{New: func() any { b := make([]byte, 64<<10); return &b }}

const unknownKind = ^fs.FileMode(0)

func kindOf(t byte) fs.FileMode {
	switch t {
	case unix.DT_REG:
		return 0
	case unix.DT_DIR:
		return fs.ModeDir
	case unix.DT_LNK:
		return fs.ModeSymlink
	case unix.DT_FIFO:
		return fs.ModeNamedPipe
	case unix.DT_SOCK:
		return fs.ModeSocket
	case unix.DT_BLK, unix.DT_CHR:
		return fs.ModeDevice
	}
	return unknownKind
}
