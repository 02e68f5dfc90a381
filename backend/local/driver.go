package local

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/internal/durable"
)

// Driver opens directories. Its name is "local".
var Driver backend.Driver = driver{}

type driver struct{}

func (driver) Name() string { return "local" }

func (driver) Schema() backend.Schema {
	return backend.Schema{
		{Name: "path", Required: true, Help: "directory that holds the objects"},
		{Name: "create", Default: "true", Values: []string{"true", "false"},
			Help: "make the directory at the first write if it is missing"},
		{Name: "durability", Default: "full", Values: []string{"full", "none"},
			Help: "full survives a power cut after every write; none is faster and does not"},
		{Name: "symlinks", Default: "skip", Values: []string{"skip", "follow"},
			Help: "whether symbolic links are ignored or stand for their target inside the directory"},
		{Name: "mode", Default: "ignore", Values: []string{"ignore", "keep"},
			Help: "whether permission bits travel as the user metadata \"mode\""},
	}
}

// Open pins the directory if it is there; otherwise the first call that finds
// it does.
func (driver) Open(_ context.Context, settings backend.Settings) (backend.Backend, error) {
	fail := func(err error, hint string) error {
		return &backend.Error{Op: "open", Backend: "local", Err: err, Hint: hint}
	}
	if settings["path"] == "" {
		return nil, fail(errors.New("no path given"), "set path to a directory")
	}
	path, err := filepath.Abs(settings["path"])
	if err != nil {
		return nil, fail(err, "")
	}
	s := &store{
		path:   path,
		create: settings["create"] != "false",
		follow: settings["symlinks"] == "follow",
		keep:   settings["mode"] == "keep",
		strays: map[string]bool{},
		fresh:  map[string]*newDir{},
		locks:  newLocks(),
		hooks:  defaultHooks,
	}
	if s.keep && runtime.GOOS == "windows" {
		return nil, fail(fmt.Errorf("mode=keep on Windows: %w", errors.ErrUnsupported), "use mode=ignore")
	}
	if settings["durability"] == "none" {
		s.commit = []durable.Option{durable.NoSync()}
	}
	s.location = location(path)
	s.maxKey = maxPath - len(path) - pathMargin
	h, err := s.acquire(false)
	switch {
	case err == nil:
		h.release()
	case errors.Is(err, backend.ErrStoreNotFound):
		// Any later call says so; a first write may make it.
	default:
		return nil, s.fail("open", "", err)
	}
	return s, nil
}

// location spells path without symbolic links, as far as it exists.
func location(path string) string {
	rest := ""
	for dir := path; ; {
		if real, err := filepath.EvalSymlinks(dir); err == nil {
			path = filepath.Join(real, rest)
			break
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			break
		}
		rest = filepath.Join(filepath.Base(dir), rest)
		dir = parent
	}
	path = filepath.ToSlash(path)
	if !strings.HasPrefix(path, "/") {
		path = "/" + path // C:/data
	}
	return "file://" + path
}

// makeRoot makes the store's directory and flushes the way to it.
func makeRoot(path string, opts []durable.Option) error {
	above := path
	for {
		if info, err := os.Stat(above); err == nil && info.IsDir() {
			break
		}
		parent := filepath.Dir(above)
		if parent == above {
			break
		}
		above = parent
	}
	root, err := os.OpenRoot(above)
	if err != nil {
		return err
	}
	defer root.Close()
	rel, err := filepath.Rel(above, path)
	if err != nil || rel == "." {
		return err
	}
	return durable.MkdirAll(root, rel, 0o777, opts...)
}
