//go:build unix

package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// slowSync starts a sync that takes minutes and returns it when its first
// object has arrived at dst.
func slowSync(t *testing.T, state, src, dst string, stderr *bytes.Buffer) *exec.Cmd {
	t.Helper()
	for _, name := range []string{"a", "b", "c", "d"} {
		if err := os.WriteFile(filepath.Join(src, name), bytes.Repeat([]byte(name), 64<<10), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(binary, "--state-dir", state, "--bandwidth=16K", "--concurrency=1", "sync", src, dst)
	cmd.Stderr = stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill() })
	deadline := time.Now().Add(30 * time.Second)
	for {
		// The state directory is made after the handler of signals.
		if _, err := os.Stat(filepath.Join(state, "policies")); err == nil {
			return cmd
		}
		if locks, _ := filepath.Glob(filepath.Join(state, "*")); len(locks) > 0 {
			return cmd
		}
		if time.Now().After(deadline) {
			t.Fatalf("the sync does not start; standard error:\n%s", stderr)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func exitOf(t *testing.T, cmd *exec.Cmd) int {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	select {
	case err := <-done:
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		return cmd.ProcessState.ExitCode()
	case <-time.After(20 * time.Second):
		t.Fatal("the sync does not end")
		return 0
	}
}

func TestSignalInterruptsAndTheNextSyncGoesOn(t *testing.T) {
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		t.Run(signal.String(), func(t *testing.T) {
			state, src, dst := filepath.Join(t.TempDir(), "state"), t.TempDir(), filepath.Join(t.TempDir(), "dst")
			var stderr bytes.Buffer
			cmd := slowSync(t, state, src, dst, &stderr)
			if err := cmd.Process.Signal(signal); err != nil {
				t.Fatal(err)
			}
			if code := exitOf(t, cmd); code != exitInterrupted {
				t.Errorf("exit code %d, want %d", code, exitInterrupted)
			}
			if text := stderr.String(); strings.Count(text, "\n") != 1 || !strings.HasPrefix(text, "objstore: ") {
				t.Errorf("standard error is not one line:\n%s", text)
			}

			out, err := exec.Command(binary, "--state-dir", state, "sync", src, dst).CombinedOutput()
			if err != nil {
				t.Fatalf("next sync: %v\n%s", err, out)
			}
			for _, name := range []string{"a", "b", "c", "d"} {
				if info, err := os.Stat(filepath.Join(dst, name)); err != nil || info.Size() != 64<<10 {
					t.Errorf("%s did not arrive: %v", name, err)
				}
			}
		})
	}
}

func TestSecondProcessIsLockedOut(t *testing.T) {
	state, src, dst := filepath.Join(t.TempDir(), "state"), t.TempDir(), filepath.Join(t.TempDir(), "dst")
	var stderr bytes.Buffer
	cmd := slowSync(t, state, src, dst, &stderr)
	// The lock is taken soon after the state directory is made.
	deadline := time.Now().Add(20 * time.Second)
	for {
		if entries, _ := os.ReadDir(dst); len(entries) > 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the first sync writes nothing")
		}
		time.Sleep(5 * time.Millisecond)
	}
	second := exec.Command(binary, "--state-dir", state, "sync", src, dst)
	out, err := second.CombinedOutput()
	if code := second.ProcessState.ExitCode(); code != exitLocked {
		t.Errorf("exit code %d (%v), want %d\n%s", code, err, exitLocked, out)
	}
	if text := string(out); strings.Count(text, "\n") != 1 || !strings.Contains(text, "is locked by") {
		t.Errorf("output is not one line that names the holder:\n%s", text)
	}
	cmd.Process.Signal(os.Interrupt)
	if code := exitOf(t, cmd); code != exitInterrupted {
		t.Errorf("exit code of the first %d, want %d", code, exitInterrupted)
	}
}
