package main

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// atTerminal runs objstore with standard output on a terminal, and returns what
// it shows there.
func atTerminal(t *testing.T, columns uint16, state string, args ...string) string {
	t.Helper()
	ours, theirs := pty(t, columns)
	cmd := exec.Command(binary, append([]string{"--state-dir", state}, args...)...)
	cmd.Stdout = theirs
	require.NoError(t, cmd.Start())
	theirs.Close()
	text, _ := io.ReadAll(ours)
	require.NoError(t, cmd.Wait(), string(text))
	return strings.ReplaceAll(string(text), "\r\n", "\n")
}

func TestTablesFitTheTerminalAndArePlainElsewhere(t *testing.T) {
	dir := t.TempDir()
	state, src, dst := filepath.Join(dir, "state"), filepath.Join(dir, "src"), filepath.Join(dir, "dst")
	for _, name := range []string{filepath.Join(src, "a"), filepath.Join(src, "a-rather-long-name-of-a-file.txt"), filepath.Join(dst, "a")} {
		require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o755))
		require.NoError(t, os.WriteFile(name, []byte(name), 0o644))
	}
	add := exec.Command(binary, "--state-dir", state, "replication", "add", "--id=documents-of-all-offices", "--source-backend=local", "--dest-backend=local",
		"--source-setting=path="+src, "--dest-setting=path="+dst)
	out, err := add.CombinedOutput()
	require.NoError(t, err, string(out))
	failing := exec.Command(binary, "--state-dir", state, "replication", "sync", "--id=documents-of-all-offices")
	out, _ = failing.CombinedOutput()
	require.Equal(t, exitObjects, failing.ProcessState.ExitCode(), string(out))

	for _, args := range [][]string{
		{"replication", "list"}, {"replication", "status"}, {"replication", "failures", "--id=documents-of-all-offices"},
		{"replication", "history", "--id=documents-of-all-offices"}, {"replication", "status", "--id=documents-of-all-offices"},
		{"replication", "get", "--id=documents-of-all-offices"}, {"replication", "sync", "--id=documents-of-all-offices", "--dry-run"},
		{"list", "--backend=local", "--setting=path=" + src}, {"sync", "--help"},
	} {
		for _, columns := range []int{80, 120, 400} {
			for line := range strings.Lines(atTerminal(t, uint16(columns), state, args...)) {
				line = strings.TrimSuffix(line, "\n")
				if utf8.RuneCountInString(line) > columns && !strings.Contains(line, dir) { // a path is not broken
					t.Errorf("%v at %d columns: a line of %d\n%s", args, columns, utf8.RuneCountInString(line), line)
				}
			}
		}
	}
	plain := exec.Command(binary, "--state-dir", state, "replication", "list")
	out, err = plain.Output()
	require.NoError(t, err)
	require.Regexp(t, `^ID +SOURCE +DESTINATION +INTERVAL +ENABLED +LAST SYNC +STATE\ndocuments-of-all-offices +local://\S+/src +local://\S+/dst +default +yes +20\S+ +failed\n$`, string(out))
	require.Regexp(t, `(?m)^ID +INTERVAL +ENABLED +LAST SYNC +STATE\ndocuments-of-all-offices .* failed\n {4}source +local://\S+/src\n {4}destination +local://`, atTerminal(t, 80, state, "replication", "list"))
}
