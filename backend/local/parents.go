package local

import (
	"errors"
	"io/fs"
	"path"

	"github.com/objrepl/replication/internal/durable"
)

// A newDir is a directory that a Put of this process is making. Another Put
// may already see it while its entry is not on disk yet; that one must not
// return before it is, or a power cut takes its file together with the
// directory.
type newDir struct {
	made   chan struct{} // closed when the outcome is known
	synced bool          // valid once made is closed
}

// ensureDir makes the missing directories on the way to dir, "" being the top,
// and flushes each one's entry. It never follows a link where links are
// skipped: whatever else than a directory is in the way is an invalid key for
// this object alone.
func (s *store) ensureDir(h *handle, dir string) error {
	d, err := h.open(dir, s.follow, false)
	if err == nil {
		d.close()
		return nil
	}
	if s.follow && !isErrno(err) {
		return inTheWay(dir, "a symbolic link that leads out of the store's directory")
	}
	if !missing(err) {
		return err
	}
	for i := 0; i <= len(dir); i++ {
		if i < len(dir) && dir[i] != '/' {
			continue
		}
		if err := s.ensureOne(h, dir[:i]); err != nil {
			return err
		}
	}
	return nil
}

func (s *store) ensureOne(h *handle, dir string) error {
	info, err := h.root.Lstat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return s.makeDir(h, dir)
	}
	if err != nil {
		return err
	}
	mode := info.Mode()
	if mode&fs.ModeSymlink != 0 && s.follow {
		if info, err = h.root.Stat(dir); err != nil {
			return inTheWay(dir, "a symbolic link that leads nowhere or out of the store's directory")
		}
		mode = info.Mode()
	}
	switch {
	case mode.IsDir():
		return nil
	case mode.IsRegular():
		return inTheWay(dir, "a file")
	case mode&fs.ModeSymlink != 0:
		return inTheWay(dir, "a symbolic link")
	}
	return inTheWay(dir, "a FIFO, socket or device")
}

func inTheWay(dir, what string) error {
	return invalidKey("a file system cannot hold an object beside others below its name; rename or remove one of them",
		"%s is %s, and the key needs a directory there", dir, what)
}

// makeDir makes one directory, whose parent is there, and flushes its entry.
func (s *store) makeDir(h *handle, dir string) error {
	if len(s.commit) > 0 {
		return made(h.root.Mkdir(dir, 0o777))
	}
	for {
		s.mu.Lock()
		other, busy := s.fresh[dir]
		mine := &newDir{made: make(chan struct{})}
		if !busy {
			// Registered before it is made: whoever sees the directory finds
			// it here too, or its entry is on disk.
			s.fresh[dir] = mine
		}
		s.mu.Unlock()
		if busy {
			<-other.made
			if other.synced {
				return nil
			}
			continue
		}
		err := made(h.root.Mkdir(dir, 0o777))
		if err == nil {
			err = durable.SyncDir(h.root, path.Dir(dir))
		}
		mine.synced = err == nil
		s.mu.Lock()
		delete(s.fresh, dir)
		s.mu.Unlock()
		close(mine.made)
		return err
	}
}

// made forgives a directory that somebody else has made.
func made(err error) error {
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}

// settleParents waits until the entries of all directories on the way to key
// are on disk that this process is about to make.
func (s *store) settleParents(h *handle, key string) error {
	if len(s.commit) > 0 {
		return nil
	}
	for i := range len(key) {
		if key[i] != '/' {
			continue
		}
		s.mu.Lock()
		other := s.fresh[key[:i]]
		s.mu.Unlock()
		if other == nil {
			continue
		}
		if <-other.made; !other.synced {
			if err := durable.SyncDir(h.root, path.Dir(key[:i])); err != nil {
				return err
			}
		}
	}
	return nil
}
