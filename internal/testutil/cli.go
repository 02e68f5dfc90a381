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
//
// The go command keeps the result of a test whose inputs are as they were, and
// does not know that the whole module is an input of this one: so all of its
// directories are looked at, which makes them inputs.
func CLI(tb testing.TB) string {
	tb.Helper()
	servers, err := nestedModule("servers")
	if err != nil {
		tb.Fatalf("build the CLI: %v", err)
	}
	root := filepath.Join(servers, "..", "..", "..")
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && path != root && strings.HasPrefix(d.Name(), ".") {
			return fs.SkipDir
		}
		return err
	})
	if err != nil {
		tb.Fatalf("build the CLI: %v", err)
	}
	binary := filepath.Join(tb.TempDir(), "objstore")
	if runtime.GOOS == "windows" {
		binary += ".exe"
	}
	cmd := exec.CommandContext(tb.Context(), "go", "build", "-o", binary, "./cli/objstore")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		tb.Fatalf("build the CLI: %v\n%s", err, out)
	}
	return binary
}
