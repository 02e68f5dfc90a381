package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/internal/durable"
)

// Delete implements backend.Backend. Directories that it leaves empty go too.
func (s *store) Delete(ctx context.Context, key string, opts backend.DeleteOptions) error {
	err := s.remove(ctx, key, opts)
	if err == errAbsent && opts.IfMatch == "" {
		return nil
	}
	return s.fail("delete", key, err)
}

func (s *store) remove(ctx context.Context, key string, opts backend.DeleteOptions) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := s.checkKey(key); err != nil {
		return err
	}
	h, err := s.acquire(false)
	if err != nil {
		return err
	}
	defer h.release()
	// Without the lock first: deleting what is absent should write nothing.
	if _, err := s.look(h, key); err != nil && !s.brokenLink(h, key, err) {
		return err
	}
	unlock, err := s.lock(ctx, h, key, opts.IfMatch != "")
	if err != nil {
		return err
	}
	defer unlock()
	v, err := s.look(h, key)
	if err != nil && !s.brokenLink(h, key, err) {
		return err
	}
	if opts.IfMatch != "" && (err != nil || opts.IfMatch != v.tag()) {
		return precondition("the object is version %s", v.tag())
	}
	dir, name := split(key)
	d, err := h.open(dir, s.follow, false)
	if err != nil {
		return s.absentIfMissing(h, key, err)
	}
	err = d.unlink(name)
	d.close()
	if err != nil {
		if missing(err) {
			return s.absentIfMissing(h, key, err)
		}
		return err
	}
	s.dropSidecar(h, key, v.tag())
	left := s.prune(h, dir)
	if len(s.commit) > 0 {
		return nil
	}
	// Without this a power cut brings the object back. Directories that went
	// too are gone for good once the entry of the topmost one is.
	for {
		at := left
		if at == "" {
			at = "."
		}
		err := durable.SyncDir(h.root, at)
		if err == nil {
			return nil
		}
		if !errors.Is(err, fs.ErrNotExist) || left == "" {
			return fmt.Errorf("%w: %v", durable.ErrNotSynced, err)
		}
		left, _ = split(left) // pruned by another delete
	}
}

// brokenLink reports whether err is about a link that leads nowhere: there is
// no version to speak of, but a Delete may remove it.
func (s *store) brokenLink(h *handle, key string, err error) bool {
	if !s.follow || !errors.Is(err, backend.ErrNotRegular) {
		return false
	}
	info, statErr := h.root.Lstat(key)
	return statErr == nil && info.Mode()&fs.ModeSymlink != 0
}

// prune removes dir and its parents as long as they are empty, and returns the
// directory that stays. The system refuses to remove a directory that just got
// a file; a Put that just lost its directory makes it again.
func (s *store) prune(h *handle, dir string) string {
	for dir != "" {
		parent, name := split(dir)
		d, err := h.open(parent, s.follow, false)
		if err != nil {
			return dir
		}
		err = d.rmdir(name)
		d.close()
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return dir
		}
		dir = parent
	}
	return dir
}
