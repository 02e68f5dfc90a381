package e2e

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// nobody is who the CLI runs as, where the test itself could read everything.
const nobody = 65534

func TestAnUnreadableFileFailsAloneAndNothingIsDeletedForIt(t *testing.T) {
	dir, err := os.MkdirTemp("", "unreadable") // t.TempDir is closed to others
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	require.NoError(t, os.Chmod(dir, 0o777))
	binary := filepath.Join(dir, "objstore")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "../../cli/objstore").CombinedOutput()
	require.NoError(t, err, "%s", out)
	source := filepath.Join(dir, "source")
	for _, name := range []string{"a.txt", "b.txt", "closed/c.txt", "closed/d.txt", "e.txt"} {
		path := filepath.Join(source, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(name), 0o644))
	}
	sync := func() (exit int, stderr string) {
		cmd := exec.CommandContext(t.Context(), binary, "--state-dir", filepath.Join(dir, "state"), "sync", source, filepath.Join(dir, "copy"))
		if os.Getuid() == 0 {
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
		}
		var text bytes.Buffer
		cmd.Stderr = &text
		err := cmd.Run()
		var exited *exec.ExitError
		if err != nil && !errors.As(err, &exited) {
			require.NoError(t, err)
		}
		return cmd.ProcessState.ExitCode(), text.String()
	}
	exit, text := sync()
	require.Zero(t, exit, text)

	require.NoError(t, os.WriteFile(filepath.Join(source, "b.txt"), []byte("changed"), 0o644))
	require.NoError(t, os.Chmod(filepath.Join(source, "b.txt"), 0))
	require.NoError(t, os.Chmod(filepath.Join(source, "closed"), 0))
	require.NoError(t, os.WriteFile(filepath.Join(source, "e.txt"), []byte("changed too"), 0o644))
	exit, text = sync()
	require.Equal(t, 3, exit, text)
	for _, word := range []string{"b.txt", "closed/", "permission denied"} {
		require.Contains(t, text, word)
	}
	require.NoError(t, os.Chmod(filepath.Join(source, "closed"), 0o755))
	got := tree(t, filepath.Join(dir, "copy"))
	require.Len(t, got, 5)
	require.Equal(t, "b.txt", string(got["b.txt"].content))
	require.Equal(t, "changed too", string(got["e.txt"].content))
}
