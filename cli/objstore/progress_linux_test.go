package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// pty returns the two ends of a pseudo-terminal of that width.
func pty(t *testing.T, columns uint16) (ours, theirs *os.File) {
	t.Helper()
	ours, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skip("no pseudo-terminals: ", err)
	}
	t.Cleanup(func() { ours.Close() })
	fd := int(ours.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	theirs, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: columns}); err != nil {
		t.Fatal(err)
	}
	return ours, theirs
}

// onTerminal runs a sync of a second or so with standard error, and standard
// output too, on a terminal, and returns all that was written to it.
func onTerminal(t *testing.T, columns uint16, term string, flags ...string) string {
	t.Helper()
	src := t.TempDir()
	for i := range 20 {
		if err := os.WriteFile(filepath.Join(src, fmt.Sprint(i)), bytes.Repeat([]byte("x"), 10_000), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	ours, theirs := pty(t, columns)
	args := append([]string{"--state-dir", t.TempDir(), "--bandwidth=150K"}, flags...)
	cmd := exec.Command(binary, append(args, "sync", src, t.TempDir())...)
	cmd.Env = append(os.Environ(), "TERM="+term)
	cmd.Stdout, cmd.Stderr = theirs, theirs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	theirs.Close()
	// The other end is closed with an EIO, not an EOF.
	text, _ := io.ReadAll(ours)
	if err := cmd.Wait(); err != nil {
		t.Fatalf("sync: %v\n%s", err, text)
	}
	return strings.ReplaceAll(string(text), "\r\n", "\n")
}

// screen plays what was written back, as far as a bar uses a terminal, and
// fails where a line does not fit.
func screen(t *testing.T, columns int, text string) string {
	t.Helper()
	lines, column := []string{""}, 0
	for text != "" {
		last := &lines[len(lines)-1]
		switch {
		case strings.HasPrefix(text, eraseToEnd), strings.HasPrefix(text, eraseBelow):
			*last = (*last)[:column]
			text = text[len(eraseToEnd):]
			continue
		case text[0] == '\r':
			column = 0
		case text[0] == '\n':
			lines, column = append(lines, ""), 0
		case text[0] == 0x1b:
			t.Fatalf("an escape sequence that is not expected: %q", text[:min(len(text), 10)])
		default:
			*last = (*last)[:column] + text[:1] + (*last)[min(column+1, len(*last)):]
			column++
			if strings.Contains(*last, "%") && column >= columns {
				t.Errorf("the bar reaches the last column: %q", *last)
			}
		}
		text = text[1:]
	}
	return strings.Join(lines, "\n")
}

func TestProgressOnATerminalLeavesNothingBehind(t *testing.T) {
	for _, columns := range []int{30, 60, 200} {
		text := onTerminal(t, uint16(columns), "xterm")
		if n := strings.Count(text, "\r"); n < 4 {
			t.Errorf("at %d columns there are only %d redraws:\n%q", columns, n, text)
		}
		if !strings.Contains(text, "%") || !strings.Contains(text, "/20 objects") {
			t.Errorf("at %d columns no bar:\n%q", columns, text)
		}
		final := screen(t, columns, text)
		if !strings.HasPrefix(final, "synced 20 objects") || strings.Count(final, "\n") != 1 {
			t.Errorf("at %d columns the final screen is\n%s", columns, final)
		}
	}
}

func TestNoProgressWhereItIsInTheWay(t *testing.T) {
	for name, text := range map[string]string{
		"json":    onTerminal(t, 80, "xterm", "-o", "json"),
		"verbose": onTerminal(t, 80, "xterm", "-v"),
		"dumb":    onTerminal(t, 80, "dumb"),
	} {
		if strings.ContainsAny(text, "\r\x1b") {
			t.Errorf("%s: %q", name, text)
		}
	}
}
