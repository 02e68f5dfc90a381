package local

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"

	"github.com/pkg/xattr"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/internal/durable"
)

// Names below the store's directory that are not objects.
const (
	reserved  = ".objrepl"
	tempDir   = reserved + "/tmp"
	lockDir   = reserved + "/locks"
	metaDir   = reserved + "/meta"
	uploadDir = reserved + "/uploads"
)

const maxMetadata = 64 << 10

type store struct {
	path     string // absolute, as configured
	location string
	create   bool
	follow   bool
	keep     bool
	maxKey   int
	commit   []durable.Option // NoSync, or nothing
	locks    *locks
	hooks    hooks

	mu     sync.Mutex
	pinned *handle            // nil until the directory was first seen
	closed bool               // by Close
	strays map[string]bool    // directories with temporary files of their own; see sweep.go
	fresh  map[string]*newDir // directories being made; see parents.go
}

// hooks are the seams at which tests put failures, and limits that they reach.
type hooks struct {
	setAttr func(f *os.File, name string, value []byte) error
	rename  func(f *durable.File, name string, opts ...durable.Option) error
	write   func(f *os.File, p []byte) (int, error)
	tryLock func(f *os.File) (bool, error)
	scratch func() (*os.File, error)
	sort    sortLimits
	holds   func(names int) // what a listing holds of one directory, or nil
}

var defaultHooks = hooks{
	setAttr: xattr.FSet,
	rename:  (*durable.File).Commit,
	write:   (*os.File).Write,
	tryLock: tryLockFile,
	scratch: newScratch,
	sort:    sortLimits{held: heldBytes, runs: spillRuns},
}

// A handle is the pinned directory. It counts its users, so that Close never
// gives a descriptor back to the system while a call still works with the
// number.
type handle struct {
	root *os.Root
	top  directory
	info fs.FileInfo // identity of the directory

	mu    sync.Mutex
	users int // the store itself is one
}

func (h *handle) use() {
	h.mu.Lock()
	h.users++
	h.mu.Unlock()
}

func (h *handle) release() {
	h.mu.Lock()
	h.users--
	last := h.users == 0
	h.mu.Unlock()
	if last {
		h.top.closeTop()
		h.root.Close()
	}
}

// acquire returns the store's directory for one call, after making sure that
// its path still leads to it. The caller releases it.
func (s *store) acquire(mayCreate bool) (*handle, error) {
	h, err := s.hold(mayCreate)
	if err != nil {
		return nil, err
	}
	if err := s.present(h); err != nil {
		h.release()
		return nil, err
	}
	return h, nil
}

func (s *store) hold(mayCreate bool) (*handle, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, fmt.Errorf("the store is closed: %w", os.ErrClosed)
	}
	if s.pinned == nil {
		if err := s.pin(mayCreate); err != nil {
			return nil, err
		}
	}
	s.pinned.use()
	return s.pinned, nil
}

// pin opens the directory for good. Only a store that never saw its directory
// makes it: one that saw it lost it, and an empty one must not take its place.
func (s *store) pin(mayCreate bool) error {
	root, err := os.OpenRoot(s.path)
	if errors.Is(err, fs.ErrNotExist) && mayCreate && s.create {
		if err := makeRoot(s.path, s.commit); err != nil {
			return err
		}
		root, err = os.OpenRoot(s.path)
	}
	if err != nil {
		return s.rootError(err)
	}
	info, err := root.Stat(".")
	if err != nil {
		root.Close()
		return err
	}
	top, err := openTop(root)
	if err != nil {
		root.Close()
		return err
	}
	s.pinned = &handle{root: root, top: top, info: info, users: 1}
	return nil
}

// present reports whether the store's path still leads to the directory that h
// holds. It is asked before a call, and again before an answer that would say
// that something is absent.
func (s *store) present(h *handle) error {
	info, err := os.Stat(s.path)
	if err != nil {
		return s.rootError(err)
	}
	if !os.SameFile(info, h.info) {
		return &classified{class: backend.ErrUnavailable,
			cause: fmt.Sprintf("directory %s was replaced or mounted over while it was in use", s.path),
			hint:  "open the store again if the new directory is the right one"}
	}
	return nil
}

// rootError is what the failure to reach the directory itself means. It never
// says that an object is absent.
func (s *store) rootError(err error) error {
	if info, statErr := os.Stat(s.path); errors.Is(statErr, fs.ErrNotExist) {
		return &classified{class: backend.ErrStoreNotFound, cause: fmt.Sprintf("directory %s is missing", s.path),
			hint: "check the path and that its file system is mounted"}
	} else if statErr == nil && !info.IsDir() {
		return &classified{class: backend.ErrStoreNotFound, cause: fmt.Sprintf("%s is not a directory", s.path),
			hint: "set path to a directory"}
	}
	return err
}

// Properties implements backend.Backend.
func (s *store) Properties() backend.Properties {
	return backend.Properties{
		Location:     s.location,
		Ordered:      true,
		StartAfter:   false, // a directory is read whole before its first key is known
		Put:          backend.Conditions{IfAbsent: true, IfMatch: true, Local: true},
		Delete:       backend.Conditions{IfMatch: true, Local: true},
		Complete:     backend.Conditions{IfAbsent: true, IfMatch: true, Local: true},
		Copy:         backend.Conditions{IfAbsent: true, IfMatch: true, Local: true},
		UnknownSize:  true,
		CheckKey:     func(key string) error { return s.fail("put", key, s.checkKey(key)) },
		MaxMetadata:  maxMetadata,
		ListsSpecial: true,
	}
}

// Close implements backend.Backend. Calls under way finish with the directory
// they hold.
func (s *store) Close() error {
	s.mu.Lock()
	h := s.pinned
	again := s.closed
	s.pinned, s.closed = nil, true
	s.mu.Unlock()
	if again {
		return nil
	}
	s.locks.close()
	if h != nil {
		h.release()
	}
	return nil
}
