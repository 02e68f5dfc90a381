package main

import (
	"fmt"
	"io"
	"os"
	"sync"

	"golang.org/x/term"
)

// A console is standard error, shared by messages, the log and the progress
// bar, which has to get out of the way of the other two.
type console struct {
	w io.Writer
	// terminal: w is a terminal that can move its cursor. fd is its descriptor.
	terminal bool
	fd       int

	mu  sync.Mutex
	bar screenLine // guarded by mu
}

func newConsole(f *os.File) *console {
	fd := int(f.Fd())
	// A dumb terminal, such as an editor's, prints control sequences as text.
	return &console{w: f, fd: fd, terminal: term.IsTerminal(fd) && os.Getenv("TERM") != "dumb"}
}

// Write implements io.Writer: it prints p above the progress bar, which its
// next redraw brings back. One call is one message.
func (c *console) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if erase := c.bar.erase(c.width()); erase != "" {
		// One write, so that nothing else gets in between.
		_, err := c.w.Write(append([]byte(erase), p...))
		return len(p), err
	}
	return c.w.Write(p)
}

func (c *console) Printf(format string, args ...any) { fmt.Fprintf(c, format, args...) }

// Warnf prints a warning, which never changes the exit code.
func (c *console) Warnf(format string, args ...any) {
	c.Printf("objstore: warning: %s\n", oneLine(fmt.Sprintf(format, args...)))
}

// Draw shows line as the bar, in place of the one before.
func (c *console) Draw(line string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if out := c.bar.replace(line, c.width()); out != "" {
		io.WriteString(c.w, out)
	}
}

// Clear takes the bar off the screen.
func (c *console) Clear() { c.Draw("") }

// Abandon leaves the cursor on a line of its own, for an exit that waits for
// nobody: it takes no lock that a stuck writer might hold.
func (c *console) Abandon() {
	if c.terminal && c.mu.TryLock() {
		io.WriteString(c.w, c.bar.erase(c.width()))
	}
}

// width returns the columns of the terminal, 0 where they are not known.
func (c *console) width() int {
	if !c.terminal {
		return 0
	}
	return columnsOf(c.fd)
}

// terminalColumns returns the width of a terminal, 0 if f is none.
func terminalColumns(f *os.File) int { return columnsOf(int(f.Fd())) }

func columnsOf(fd int) int {
	width, _, err := term.GetSize(fd)
	if err != nil {
		return 0
	}
	return width
}
