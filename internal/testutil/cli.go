package testutil

import (
	"io/fs"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// CLI builds the bundled CLI for the length of the test and returns its path.
func CLI(tb testing.TB) string {
	tb.Helper()
	return Program(tb, "objstore", "./cli/objstore")
}

// Program builds a program of this module for the length of the test and returns its
// path. The arguments are flags of go build and the program, a package below the
// module's directory or files of one that may be anywhere.
//
// The go command keeps the result of a test whose inputs are as they were, and
// does not know that the whole module is an input of this one: so all of its
// directories are looked at, which makes them inputs.
func Program(tb testing.TB, name string, args ...string) string {
	tb.Helper()
	servers, err := nestedModule("servers")
	if err != nil {
		tb.Fatalf("build %s: %v", name, err)
	}
	root := filepath.Join(servers, "..", "..", "..")
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && path != root && strings.HasPrefix(d.Name(), ".") {
			return fs.SkipDir
		}
		return err
	})
	if err != nil {
		tb.Fatalf("build %s: %v", name, err)
	}
	binary := filepath.Join(tb.TempDir(), name)
	if runtime.GOOS == "windows" {
		binary += ".exe"
	}
	cmd := exec.CommandContext(tb.Context(), "go", append([]string{"build", "-o", binary}, args...)...)
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		tb.Fatalf("build %s: %v\n%s", name, err, out)
	}
	return binary
}
