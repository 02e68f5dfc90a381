//go:build unix

package main

import (
	"bytes"
	"io/fs"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// startProbe probes a directory and returns once something is written there.
func startProbe(t *testing.T, state, dir string) (*exec.Cmd, *bytes.Buffer) {
	var stderr bytes.Buffer
	cmd := exec.Command(binary, "--state-dir", state, "probe", "--full", dir)
	cmd.Stderr = &stderr
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { cmd.Process.Kill() })
	require.Eventually(t, func() bool { return len(filesUnder(t, dir)) > 0 }, 30*time.Second, time.Millisecond)
	return cmd, &stderr
}

// filesUnder returns the files that are objects of a directory.
func filesUnder(t *testing.T, dir string) (files []string) {
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error { // it may vanish meanwhile
		if err == nil && !d.IsDir() && !strings.Contains(path, "/.objrepl/") {
			files = append(files, path)
		}
		return nil
	})
	return files
}

func TestAnInterruptedProbeCleansUp(t *testing.T) {
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		t.Run(signal.String(), func(t *testing.T) {
			dir := t.TempDir()
			cmd, stderr := startProbe(t, filepath.Join(t.TempDir(), "state"), dir)
			require.NoError(t, cmd.Process.Signal(signal))
			require.Equal(t, exitInterrupted, exitOf(t, cmd), stderr)
			require.Empty(t, leftInDirectory(t, dir))
		})
	}
}

func TestTheProbeAfterAKilledOneCleansUp(t *testing.T) {
	dir, state := t.TempDir(), filepath.Join(t.TempDir(), "state")
	cmd, _ := startProbe(t, state, dir)
	require.NoError(t, cmd.Process.Kill())
	exitOf(t, cmd)
	out, err := exec.Command(binary, "--state-dir", state, "probe", dir).CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Empty(t, filesUnder(t, dir))
	files, err := filepath.Glob(filepath.Join(state, "probes", "*", "*.json"))
	require.NoError(t, err)
	require.Empty(t, files, "the journal")
}
