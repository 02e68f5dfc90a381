package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"syscall"
	"time"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/internal/usermeta"
	"github.com/objrepl/replication/internal/durable"
)

// Put implements backend.Backend.
func (s *store) Put(ctx context.Context, key string, body backend.Body, opts backend.PutOptions) (backend.Object, error) {
	o, err := s.put(ctx, key, body, opts)
	if err != nil {
		return backend.Object{}, s.fail("put", key, err)
	}
	return o, nil
}

// maxTries bounds how often a write starts over because the directories under
// it change: each retry means that another writer got something done.
const maxTries = 100

var errTurmoil = &classified{class: backend.ErrUnavailable, cause: "the directories on the way to the object keep changing"}

func (s *store) put(ctx context.Context, key string, body backend.Body, opts backend.PutOptions) (backend.Object, error) {
	var none backend.Object
	if err := ctx.Err(); err != nil {
		return none, err
	}
	if err := s.checkKey(key); err != nil {
		return none, err
	}
	if err := usermeta.CheckNone(opts.ObjectTags, opts.Class); err != nil {
		return none, err
	}
	p, err := s.planFor(opts.Metadata)
	if err != nil {
		return none, err
	}
	if opts.If.Absent && opts.If.Match != "" {
		return none, precondition("an object cannot be absent and match a version")
	}
	// What has to match something cannot be the first write of a store.
	h, err := s.acquire(opts.If.Match == "")
	if err != nil {
		return none, err
	}
	defer h.release()
	// Before a long body is read for nothing; it counts only under the lock.
	dir, _ := split(key)
	_, _, err = s.replaceable(h, key, opts.If)
	if missing(err) && !errors.Is(err, fs.ErrNotExist) {
		err = s.ensureDir(h, dir) // says what is in the way
	}
	if err != nil && !missing(err) {
		return none, err
	}
	beside := s.writesBeside(dir)
	for {
		o, err := s.putOnce(ctx, h, key, body, p, opts.If, beside)
		if errors.Is(err, syscall.EXDEV) && !beside {
			// The directory is a mount of its own: no rename leads there.
			s.noteStray(dir, true)
			beside = true
			continue
		}
		return o, err
	}
}

func (s *store) putOnce(ctx context.Context, h *handle, key string, body backend.Body, p plan, cond backend.Condition, beside bool) (backend.Object, error) {
	var none backend.Object
	t, err := s.temporary(h, key, beside)
	if err != nil {
		return none, err
	}
	defer t.Abort()
	if err := s.copyBody(ctx, t.File, body); err != nil {
		return none, err
	}
	return s.finish(ctx, h, t, key, p, cond)
}

// finish makes a file that has all of its bytes the object.
func (s *store) finish(ctx context.Context, h *handle, t *durable.File, key string, p plan, cond backend.Condition) (backend.Object, error) {
	var none backend.Object
	inFile, err := s.dress(h, t, p)
	if err != nil {
		return none, err
	}
	// Before the lock: flushing a large file takes long.
	var info fs.FileInfo
	if err := t.Seal(append([]durable.Option{durable.Info(&info)}, s.commit...)...); err != nil {
		return none, err
	}
	v := versionOf(info, moment{})
	switch {
	case p.record == nil:
		// A sidecar that a crash left behind under this very tag is not ours.
		s.dropSidecar(h, key, v.tag())
	case !inFile:
		if err := s.writeSidecar(h, key, v.tag(), p.record); err != nil {
			return none, err
		}
	}
	o, err := s.install(ctx, h, t, key, v, cond)
	if err != nil && !inFile && !errors.Is(err, durable.ErrNotSynced) {
		s.dropSidecar(h, key, v.tag())
	}
	return o, err
}

// temporary makes the file that is to become the object.
func (s *store) temporary(h *handle, key string, beside bool) (*durable.File, error) {
	for range maxTries {
		dir := tempDir
		if beside {
			if dir, _ = split(key); dir == "" {
				dir = "."
			} else if err := s.ensureDir(h, dir); err != nil && !missing(err) {
				return nil, err
			}
		}
		t, err := durable.Create(h.root, dir)
		if err == nil || !missing(err) {
			return t, err
		}
		if err := s.present(h); err != nil {
			return nil, err
		}
		if !beside {
			if err := s.ensureDir(h, tempDir); err != nil {
				return nil, err
			}
		}
	}
	return nil, errTurmoil
}

// dress gives the file everything but its name. The order matters: permission
// bits may forbid the attribute, and the time goes last since the rest moves
// it. It reports whether the file holds all metadata, or needs a sidecar.
func (s *store) dress(h *handle, t *durable.File, p plan) (inFile bool, err error) {
	inFile = true
	if p.stated != nil {
		if p.record, p.modTime, err = state(t, p); err != nil {
			return false, err
		}
	}
	if p.record != nil {
		err := s.hooks.setAttr(t.File, attrName, p.record)
		if err != nil && !noAttr(err) {
			return false, err
		}
		inFile = err == nil
	}
	if p.perm != nil {
		if err := t.Chmod(*p.perm); err != nil {
			return false, err
		}
	}
	if p.modTime.IsZero() && !inFile {
		// A network file system may move the time once more when it flushes;
		// a time that was set stays, and the sidecar is named by it.
		p.modTime = time.Now()
	}
	if !p.modTime.IsZero() {
		err = h.root.Chtimes(t.TempName(), time.Time{}, p.modTime)
	}
	return inFile, err
}

// state binds what a record says to the file that is being written, and so to
// a modification time that is set and stays.
func state(t *durable.File, p plan) ([]byte, time.Time, error) {
	info, err := t.Stat()
	if err != nil {
		return nil, time.Time{}, err
	}
	modTime := p.modTime
	if modTime.IsZero() {
		modTime = time.Now()
	}
	r := *p.stated
	r.Of = of(moment{modTime.Unix(), int64(modTime.Nanosecond())}, info.Size())
	raw, err := r.encode()
	return raw, modTime, err
}

// install gives the file, version v, its name if cond holds, under the lock of
// the key.
func (s *store) install(ctx context.Context, h *handle, t *durable.File, key string, v version, cond backend.Condition) (backend.Object, error) {
	var none backend.Object
	unlock, err := s.lock(ctx, h, key, cond.Match != "")
	if err != nil {
		return none, err
	}
	defer unlock()
	dir, name := split(key)
	opts := s.commit
	if cond.Absent {
		opts = append([]durable.Option{durable.Exclusive()}, opts...)
	}
	for range maxTries {
		if err := ctx.Err(); err != nil {
			return none, err
		}
		old, exists, err := s.replaceable(h, key, cond)
		if err == nil {
			err = s.hooks.rename(t, key, opts...)
		}
		var known *classified
		switch {
		case err == nil:
		case errors.As(err, &known):
			return none, err
		case cond.Absent && errors.Is(err, errors.ErrUnsupported):
			// Neither hard links nor exclusive renames here. The name was free
			// just now, and stays so among all writers that take the lock.
			opts = s.commit
			continue
		case missing(err):
			// No directory yet, or a delete removed the empty one meanwhile.
			if err := s.present(h); err != nil {
				return none, err
			}
			if err := s.ensureDir(h, dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return none, err
			}
			continue
		case errors.Is(err, fs.ErrExist), errors.Is(err, syscall.EISDIR), errors.Is(err, syscall.ENOTEMPTY):
			continue // something took the name meanwhile: look again at what
		default:
			return none, err
		}
		if exists && old.tag() != v.tag() {
			s.dropSidecar(h, key, old.tag())
		}
		if err := s.settleParents(h, key); err != nil {
			return none, fmt.Errorf("%w: %v", durable.ErrNotSynced, err)
		}
		return s.written(h, dir, name, key, v), nil
	}
	return none, errTurmoil
}

// replaceable looks at what has the name now and whether cond allows a write
// to take it. A directory without anything in it makes room. Where the parent
// directory is missing the error is as the system gave it.
func (s *store) replaceable(h *handle, key string, cond backend.Condition) (old version, exists bool, err error) {
	absent := func() error {
		if cond.Match != "" {
			return precondition("the object is absent")
		}
		return nil
	}
	dir, name := split(key)
	d, err := h.open(dir, s.follow, false)
	if err != nil {
		if missing(err) && cond.Match != "" {
			err = absent()
		}
		if s.follow && !isErrno(err) {
			err = inTheWay(dir, "behind a symbolic link that leads out of the store's directory")
		}
		return old, false, err
	}
	defer d.close()
	old, err = d.stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return old, false, absent()
	}
	if err != nil {
		return old, false, err
	}
	link := old.mode&fs.ModeSymlink != 0
	if link && s.follow {
		if info, err := h.root.Stat(key); err == nil {
			old = versionOf(info, moment{})
		}
	}
	switch {
	case link && !s.follow:
		return old, false, &classified{class: backend.ErrNotRegular, cause: "a symbolic link has the object's name",
			hint: "remove the link, or set symlinks=follow to have it replaced"}
	case old.mode.IsDir() && !link:
		if d.rmdir(name) == nil {
			return version{}, false, absent()
		}
		return old, false, invalidKey("a file system cannot hold an object beside others below its name; rename or remove one of them",
			"%s is a directory that is not empty", name)
	case !old.mode.IsRegular() && !link:
		return old, false, errNotRegular
	case cond.Absent:
		return old, true, &classified{class: fs.ErrExist, cause: "the object is there already"}
	case cond.Match != "" && cond.Match != old.tag():
		return old, true, precondition("the object is version %s", old.tag())
	}
	return old, true, nil
}

// written describes the object as a listing shows it from now on. The status
// change time moved with the rename, so the file is looked at once more; if
// somebody changed it since, the answer is the version that we wrote.
func (s *store) written(h *handle, dir, name, key string, v version) backend.Object {
	if d, err := h.open(dir, s.follow, false); err == nil {
		if at, err := d.stat(name); err == nil && at.ino == v.ino && at.size == v.size && at.mtime == v.mtime {
			v = at
		}
		d.close()
	}
	v.seen = moment{} // unsettled whatever the clocks say
	return v.object(key)
}
