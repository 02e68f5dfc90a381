package local

import (
	"context"
	"io/fs"
	"os"
	"strings"

	"github.com/objrepl/replication/backend"
)

// split returns the directory of a key, "" at the top, and its last name.
func split(key string) (dir, name string) {
	i := strings.LastIndexByte(key, '/')
	if i < 0 {
		return "", key
	}
	return key[:i], key[i+1:]
}

// look finds the version of an object without opening it. What List does not
// show is absent; what List shows with a Problem fails with its class.
func (s *store) look(h *handle, key string) (version, error) {
	dir, name := split(key)
	d, err := h.open(dir, s.follow, false)
	if err != nil {
		return version{}, s.absentIfMissing(h, key, err)
	}
	defer d.close()
	v, err := d.stat(name)
	if err != nil {
		return version{}, s.absentIfMissing(h, key, err)
	}
	if v.mode&fs.ModeSymlink != 0 && s.follow {
		seen := now()
		info, err := h.root.Stat(key)
		if err != nil {
			return version{}, badLink(err)
		}
		v = versionOf(info, seen)
	}
	return v, s.checkKind(v.mode)
}

// checkKind tells an object from everything else that a name can lead to.
func (s *store) checkKind(mode fs.FileMode) error {
	switch {
	case mode.IsRegular():
		return nil
	case mode.IsDir(), mode&fs.ModeSymlink != 0:
		return errAbsent
	}
	return errNotRegular
}

// absentIfMissing turns a name that is not there into a definite answer, but
// only while the store's directory is there (below an unmounted one nothing
// is), and not for what a followed link on the way no longer leads to.
func (s *store) absentIfMissing(h *handle, key string, err error) error {
	if s.follow && !isErrno(err) {
		return badLink(err)
	}
	if !missing(err) {
		return err
	}
	if err := s.present(h); err != nil {
		return err
	}
	if s.follow {
		for i := range len(key) {
			if key[i] != '/' {
				continue
			}
			info, err := h.root.Lstat(key[:i])
			if err != nil {
				break
			}
			if info.Mode()&fs.ModeSymlink == 0 {
				continue
			}
			if _, err := h.root.Stat(key[:i]); err != nil {
				return badLink(err)
			}
		}
	}
	return errAbsent
}

// openObject opens the file of an object for reading.
func (s *store) openObject(h *handle, key string) (*os.File, version, error) {
	// Opening some devices has effects (a tape rewinds), so look first; the
	// open itself makes sure once more, since the file may change meanwhile.
	if v, err := s.look(h, key); err != nil {
		return nil, v, err
	}
	if s.follow {
		f, v, err := openThrough(h.root, key)
		if err != nil {
			return nil, v, s.absentIfMissing(h, key, err)
		}
		return f, v, nil
	}
	dir, name := split(key)
	d, err := h.open(dir, false, false)
	if err != nil {
		return nil, version{}, s.absentIfMissing(h, key, err)
	}
	defer d.close()
	f, v, err := d.openFile(name)
	if err != nil {
		return nil, v, s.absentIfMissing(h, key, err)
	}
	return f, v, nil
}

// openThrough opens a regular file with os.Root following links inside.
func openThrough(root *os.Root, key string) (*os.File, version, error) {
	f, err := root.OpenFile(key, os.O_RDONLY|noWait, 0)
	if err != nil {
		return nil, version{}, err
	}
	seen := now()
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errNotRegular
	}
	if err != nil {
		f.Close()
		return nil, version{}, err
	}
	return f, versionOf(info, seen), nil
}

// badLink says why a followed link is no object.
func badLink(err error) error {
	why := "a symbolic link that leads out of the store's directory"
	switch {
	case missing(err):
		why = "a symbolic link that leads nowhere"
	case isErrno(err):
		return err
	}
	return &classified{class: backend.ErrNotRegular, cause: why,
		hint: "links have to be relative and stay inside; remove it or set symlinks=skip"}
}

// Stat implements backend.Backend.
func (s *store) Stat(ctx context.Context, key string) (backend.Object, error) {
	o, err := s.stat(ctx, key)
	return o, s.fail("stat", key, err)
}

func (s *store) stat(ctx context.Context, key string) (backend.Object, error) {
	if err := ctx.Err(); err != nil {
		return backend.Object{}, err
	}
	if err := s.checkKey(key); err != nil {
		return backend.Object{}, err
	}
	h, err := s.acquire(false)
	if err != nil {
		return backend.Object{}, err
	}
	defer h.release()
	f, v, err := s.openObject(h, key)
	if err != nil {
		return backend.Object{}, err
	}
	defer f.Close()
	return s.describe(h, key, f, v)
}

func (s *store) describe(h *handle, key string, f *os.File, v version) (backend.Object, error) {
	o := v.object(key)
	var err error
	o.Metadata, err = s.metadata(h, key, f, v)
	return o, err
}
