package local

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"github.com/objrepl/replication/backend"
)

const noWait = 0

// A directory is a directory below the store, reached by path through os.Root
// at every call: Windows has no portable call relative to a directory handle.
type directory struct {
	root *os.Root
	path string // "." for the top
}

func openTop(root *os.Root) (directory, error) { return directory{root: root, path: "."}, nil }

func (d directory) closeTop() {}
func (d directory) close()    {}

// open finds the directory path, "" for the top. Unless links are followed
// every part of the path was a real directory when it was looked at.
func (h *handle) open(path string, follow, _ bool) (directory, error) {
	if path == "" {
		return h.top, nil
	}
	if !follow {
		for i := 0; i < len(path); i++ {
			if path[i] != '/' {
				continue
			}
			if info, err := h.root.Lstat(path[:i]); err != nil || !info.IsDir() {
				return directory{}, errors.Join(err, syscall.ENOTDIR)
			}
		}
	}
	look := h.root.Lstat
	if follow {
		look = h.root.Stat
	}
	info, err := look(path)
	if err == nil && !info.IsDir() {
		err = syscall.ENOTDIR
	}
	return directory{root: h.root, path: path}, err
}

func (d directory) at(name string) string { return strings.TrimPrefix(d.path+"/"+name, "./") }

func (d directory) stat(name string) (version, error) {
	return d.statAt(name, now())
}

func (d directory) statAt(name string, seen moment) (version, error) {
	info, err := d.root.Lstat(d.at(name))
	if err != nil {
		return version{}, err
	}
	return versionOf(info, seen), nil
}

func (d directory) openFile(name string) (*os.File, version, error) {
	f, err := d.root.Open(d.at(name))
	if err != nil {
		return nil, version{}, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errNotRegular
	}
	if err != nil {
		f.Close()
		return nil, version{}, err
	}
	return f, versionOf(info, moment{}), nil
}

func (d directory) unlink(name string) error { return d.root.Remove(d.at(name)) }

func (d directory) rmdir(name string) error {
	info, err := d.root.Lstat(d.at(name))
	if err == nil && !info.IsDir() {
		err = syscall.ENOTDIR
	}
	if err != nil {
		return err
	}
	return d.root.Remove(d.at(name))
}

func (d directory) identity() (version, error) {
	info, err := d.root.Stat(d.path)
	if err != nil {
		return version{}, err
	}
	return versionOf(info, moment{}), nil
}

func (d directory) names(fn func(name []byte, kind fs.FileMode) error) error {
	f, err := d.root.Open(d.path)
	if err != nil {
		return err
	}
	defer f.Close()
	for {
		entries, err := f.ReadDir(1024)
		for _, e := range entries {
			if err := fn([]byte(e.Name()), e.Type()); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

var errNotRegular = &classified{class: backend.ErrNotRegular, cause: "not a regular file",
	hint: "move it out of the store's directory, or replace it by a file"}
