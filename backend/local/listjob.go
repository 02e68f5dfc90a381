package local

import (
	"bytes"
	"errors"
	"io/fs"
	"strings"
	"unicode/utf8"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/internal/durable"
)

var tempPrefix = []byte(durable.TempPrefix)

// errChangedLink: it led nowhere when its name was read and does now, too late
// to list what it leads to.
var errChangedLink = &classified{class: backend.ErrNotRegular, cause: "a symbolic link that changed while it was listed"}

func trimSlash(dir string) string { return strings.TrimSuffix(dir, "/") }

// readDir reads the names of a directory that the listing is after, puts them
// in order, and looks at the first of them while the directory is open. Ahead
// of its turn it gives up on a larger directory. Without an error the caller
// closes the names.
func (l *lister) readDir(r *result, dir string, ahead bool) {
	if r.err = l.stopped(); r.err != nil {
		return
	}
	d, err := l.handle.open(trimSlash(dir), l.store.follow, true)
	if err != nil {
		if l.store.follow && !isErrno(err) {
			err = badLink(err)
		}
		r.err = err
		return
	}
	defer d.close()
	if l.store.follow {
		if r.id, r.err = d.identity(); r.err != nil {
			return
		}
	}
	hooks := &l.store.hooks
	names := &sortedNames{dir: dir, limits: hooks.sort, scratch: hooks.scratch, stopped: l.stopped, holds: hooks.holds}
	if ahead {
		names.limits.held = min(aheadBytes, names.limits.held)
		names.scratch = nil
	}
	if r.err = l.readNames(r, d, names); r.err != nil {
		names.close()
	}
}

func (l *lister) readNames(r *result, d directory, names *sortedNames) error {
	err := d.names(l.sift(names))
	if err != nil {
		return err
	}
	if err = names.sort(); err != nil {
		return err
	}
	r.names = names
	if r.entries, err = names.next(); err != nil {
		return err
	}
	r.objects, err = l.objects(d, r.entries)
	return err
}

// readChunk looks at the files of one chunk. The directory is opened anew, so
// that a listing holds no descriptor but those of running jobs.
func (l *lister) readChunk(r *result) {
	e := r.entries
	d, err := l.handle.open(trimSlash(e.dir), l.store.follow, false)
	if err != nil {
		if missing(err) {
			r.objects = make([]backend.Object, len(e.list)) // gone with all it held
			return
		}
		r.err = err
		return
	}
	defer d.close()
	r.objects, r.err = l.objects(d, e)
}

// sift returns a function that adds a name to e if the listing is after it, so
// that nothing else takes memory or is sorted.
func (l *lister) sift(e *sortedNames) func(name []byte, kind fs.FileMode) error {
	s := l.store
	all := l.span.covers(e.dir)
	key := []byte(e.dir)
	within := func(name []byte) bool {
		if all {
			return true
		}
		key = append(key[:len(e.dir)], name...)
		if name[len(name)-1] == '/' {
			return l.span.touches(key)
		}
		return l.span.holds(key)
	}
	seen := 0
	return func(name []byte, mode fs.FileMode) error {
		if seen++; seen%1024 == 0 {
			if err := l.stopped(); err != nil {
				return err
			}
		}
		if bytes.HasPrefix(name, tempPrefix) {
			s.noteStray(trimSlash(e.dir), false)
			return nil
		}
		if e.dir == "" && sameName(string(name), reserved) {
			return nil
		}
		kind := isFile
		switch {
		case mode.IsRegular():
		case mode.IsDir():
			kind = isDir
		case mode&fs.ModeSymlink == 0:
			kind = isSpecial
		case !s.follow:
			return nil
		default:
			kind = isBadLink
			if info, err := l.handle.root.Stat(e.dir + string(name)); err == nil {
				switch {
				case info.Mode().IsRegular():
					kind = isLink
				case info.IsDir():
					kind = isDir
				default:
					kind = isSpecial
				}
			}
		}
		if !utf8.Valid(name) || len(e.dir)+len(name) > s.maxKey {
			// Whatever is below a directory of such a name is out of reach too.
			if kind == isDir {
				name = append(name[:len(name):len(name)], '/')
			}
			kind = isBadName
		}
		if kind == isDir {
			name = append(name[:len(name):len(name)], '/')
		}
		if within(name) {
			if err := e.add(name, kind); err != nil {
				return err
			}
		}
		if kind == isBadLink {
			// It may have stood for a directory: then keys below it are missing
			// as well, and must not be taken for deleted.
			if name = append(name[:len(name):len(name)], '/'); within(name) {
				return e.add(name, kind)
			}
		}
		return nil
	}
}

// objects looks at a chunk of entries, each in its place. The clock is read
// before: a file that changes later is too fresh by it.
func (l *lister) objects(d directory, e *entries) ([]backend.Object, error) {
	out := make([]backend.Object, len(e.list))
	seen := now()
	for i, x := range e.list {
		if i%64 == 0 {
			if err := l.stopped(); err != nil {
				return nil, err
			}
		}
		if x.kind == isDir {
			continue
		}
		key := e.dir + string(e.name(i))
		o, err := l.object(d, key, x.kind, seen)
		switch {
		case err == nil:
			out[i] = o // without a key if it went while we listed
		case errors.Is(err, fs.ErrPermission), errors.Is(err, backend.ErrNotRegular), errors.Is(err, backend.ErrInvalidKey):
			out[i] = backend.Object{Key: key, Problem: l.store.fail("list", key, err)}
		default:
			return nil, err
		}
	}
	return out, nil
}

func (l *lister) object(d directory, key string, kind uint8, seen moment) (backend.Object, error) {
	var v version
	var err error
	switch kind {
	case isBadName:
		return backend.Object{}, l.store.checkKey(trimSlash(key))
	case isSpecial:
		return backend.Object{}, errNotRegular
	case isBadLink:
		if _, err := l.handle.root.Stat(trimSlash(key)); err != nil {
			return backend.Object{}, badLink(err)
		}
		return backend.Object{}, errChangedLink
	case isLink:
		var info fs.FileInfo
		if info, err = l.handle.root.Stat(key); err == nil {
			v = versionOf(info, seen)
		}
	default:
		_, name := split(key)
		v, err = d.statAt(name, seen)
	}
	switch {
	case err != nil && missing(err):
		return backend.Object{}, nil
	case err != nil:
		return backend.Object{}, err
	case v.mode.IsRegular():
		return v.object(key), nil
	case v.mode.IsDir(), v.mode&fs.ModeSymlink != 0:
		return backend.Object{}, nil // became something else: not an object now
	}
	return backend.Object{}, errNotRegular
}
