package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/internal/testutil"
)

// Two machines share the state of a policy in a bucket: one is told that the
// other is at work; what was killed goes on where it was; and who comes after
// finds nothing left to do.
func TestMachinesShareStateInABucket(t *testing.T) {
	for name, fresh := range stateStores {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // most of it is waiting for a holder's beat
			shareState(t, fresh(t))
		})
	}
}

func shareState(t *testing.T, state stateStore) {
	source, destination := filepath.Join(t.TempDir(), "data"), t.TempDir()
	require.NoError(t, os.Mkdir(source, 0o755))
	for i := range 200 {
		require.NoError(t, os.WriteFile(filepath.Join(source, fmt.Sprintf("f%03d", i)), bytes.Repeat([]byte{byte(i)}, 1000), 0o644))
	}
	// At the slow one's bandwidth this takes an hour, so that it is at work until killed.
	require.NoError(t, os.WriteFile(filepath.Join(source, "last"), bytes.Repeat([]byte("last"), 2<<20), 0o644))
	binary := testutil.CLI(t)
	machines := []string{t.TempDir(), t.TempDir()}
	command := func(machine int, flags ...string) *exec.Cmd {
		args := append([]string{"--state-dir", machines[machine], "--state-backend", state.url, "-o", "json"}, flags...)
		cmd := exec.CommandContext(t.Context(), binary, append(args, "sync", source, destination)...)
		cmd.Env = append(os.Environ(), state.env...)
		return cmd
	}
	sync := func(machine int) (copied, skipped int64) {
		var stderr bytes.Buffer
		cmd := command(machine)
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		require.NoError(t, err, stderr.String())
		var result struct{ Synced, Adopted, Skipped int64 }
		require.NoError(t, json.Unmarshal(out, &result), string(out))
		return result.Synced, result.Adopted + result.Skipped
	}

	slow := command(0, "--bandwidth", "2K")
	require.NoError(t, slow.Start())
	require.Eventually(t, func() bool {
		n, err := filepath.Glob(filepath.Join(destination, "f*"))
		return err == nil && len(n) > 5
	}, time.Minute, 20*time.Millisecond)
	out, err := command(1).CombinedOutput()
	var exit *exec.ExitError
	require.True(t, errors.As(err, &exit), string(out))
	require.Equal(t, 5, exit.ExitCode(), string(out))
	require.Contains(t, string(out), fmt.Sprintf("process %d on ", slow.Process.Pid))
	require.NoError(t, slow.Process.Kill())
	_ = slow.Wait()

	copied, known := sync(0)
	require.Greater(t, known, int64(5), "what the killed process had copied is not copied again")
	require.EqualValues(t, 201, copied+known)
	copied, known = sync(1)
	require.Zero(t, copied)
	require.EqualValues(t, 201, known, "the other machine has the same ledger")
}
