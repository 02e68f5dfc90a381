package local

import (
	"context"
	"io/fs"
	"strings"
	"time"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/internal/durable"
)

var _ backend.Sweeper = (*store)(nil)

// maxStrays bounds how many directories with temporary files are remembered.
const maxStrays = 1024

// noteStray remembers a directory that holds temporary files itself; beside,
// that no rename leads to it from the usual place, so that a Put has to make
// its temporary file there.
func (s *store) noteStray(dir string, beside bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, known := s.strays[dir]; !known && len(s.strays) >= maxStrays {
		clear(s.strays) // they are hints, and will be found again
	}
	s.strays[dir] = s.strays[dir] || beside
}

func (s *store) writesBeside(dir string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.strays[dir]
}

// Sweep implements backend.Sweeper: it removes temporary files and metadata
// that belong to no version, left by writers that were killed, and a good while
// later (see uploadPatience) uploads in parts that nobody went on with. Temporary files
// below another mount are found once a listing or a Put has come by them.
func (s *store) Sweep(ctx context.Context, before time.Time) (int, error) {
	n, err := s.sweep(ctx, before)
	return n, s.fail("sweep", "", err)
}

func (s *store) sweep(ctx context.Context, before time.Time) (int, error) {
	h, err := s.acquire(false)
	if err != nil {
		return 0, err
	}
	defer h.release()
	dirs := []string{tempDir}
	s.mu.Lock()
	for dir := range s.strays {
		dirs = append(dirs, dir)
	}
	s.mu.Unlock()
	total := 0
	for _, dir := range dirs {
		n, err := s.sweepDir(ctx, h, dir, before, isTemp, nil)
		total += n
		if err != nil {
			return total, err
		}
	}
	n, err := s.sweepUploads(ctx, h, before.Add(-uploadPatience))
	total += n
	if err != nil {
		return total, err
	}
	n, err = s.sweepSidecars(ctx, h, before)
	return total + n, err
}

func isTemp(name string) bool { return strings.HasPrefix(name, durable.TempPrefix) }

// sweepDir removes the files of one directory that match and were last touched
// before the given moment. The status change time counts as well: a writer sets
// the modification time of its file to that of the source, years ago, shortly
// before it renames it.
func (s *store) sweepDir(ctx context.Context, h *handle, dir string, before time.Time, match func(string) bool, confirm func(path string) (unlock func(), ok bool)) (int, error) {
	d, err := h.open(dir, false, true)
	if missing(err) {
		return 0, s.present(h)
	}
	if err != nil {
		return 0, err
	}
	defer d.close()
	var names []string
	err = d.names(func(name []byte, kind fs.FileMode) error {
		if kind.IsRegular() && match(string(name)) {
			names = append(names, string(name))
		}
		return ctx.Err()
	})
	n := 0
	for _, name := range names {
		if err != nil || ctx.Err() != nil {
			break
		}
		v, statErr := d.stat(name)
		if statErr != nil || !v.mtime.time().Before(before) || !v.ctime.time().Before(before) {
			continue
		}
		unlock := func() {}
		if confirm != nil {
			var ok bool
			if unlock, ok = confirm(dir + "/" + name); !ok {
				continue
			}
		}
		switch rmErr := d.unlink(name); {
		case rmErr == nil:
			n++
		case !missing(rmErr):
			err = rmErr
		}
		unlock()
	}
	if err == nil {
		err = ctx.Err()
	}
	return n, err
}

func (s *store) sweepSidecars(ctx context.Context, h *handle, before time.Time) (int, error) {
	d, err := h.open(metaDir, false, true)
	if err != nil {
		if missing(err) {
			return 0, s.present(h)
		}
		return 0, err
	}
	var dirs []string
	err = d.names(func(name []byte, kind fs.FileMode) error {
		if kind.IsDir() {
			dirs = append(dirs, metaDir+"/"+string(name))
		}
		return nil
	})
	d.close()
	total := 0
	for _, dir := range dirs {
		if err != nil {
			break
		}
		var n int
		n, err = s.sweepDir(ctx, h, dir, before, func(string) bool { return true }, func(path string) (func(), bool) {
			if isTemp(path[len(dir)+1:]) {
				return func() {}, true
			}
			// A Put writes the sidecar before the file has its name, so it is
			// judged under the lock that the Put takes for that; the time
			// covers what lies between.
			key, stale := s.staleSidecar(h, path)
			if !stale {
				return nil, false
			}
			unlock, lockErr := s.lock(ctx, h, key, false)
			if lockErr != nil {
				return nil, false
			}
			if _, stale = s.staleSidecar(h, path); !stale {
				unlock()
				return nil, false
			}
			return unlock, true
		})
		total += n
	}
	return total, err
}
