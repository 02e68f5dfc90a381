package replication

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"github.com/objrepl/replication/internal/durable"
)

// An AuditFile is an AuditLog in a file of JSON Lines, one record a line. It
// only ever appends, each record with one write, so several processes may
// share a file of a local file system. A line that a crash cut short stays as
// it is, and the next record begins a new line; who reads the file skips lines
// that are not JSON. It is safe for concurrent use.
type AuditFile struct {
	path string

	mu   sync.Mutex
	file *os.File // guarded by mu; nil once closed
	torn bool     // guarded by mu; the last line has no end
}

var _ AuditLog = (*AuditFile)(nil)

// OpenAuditFile opens the audit file at path, and makes it, with mode 0600, if
// it is missing; its directory has to exist. Errors name the path. The caller
// closes it, after the replicator.
func OpenAuditFile(path string) (*AuditFile, error) {
	// A FIFO would block the open, and has no last line to look at.
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("open audit file %s: not a regular file", path)
	}
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open audit file: %w", err)
	}
	torn, err := tornLine(file)
	if err == nil {
		err = syncParent(path)
	}
	if err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("open audit file %s: %w", path, err)
	}
	return &AuditFile{path: path, file: file, torn: torn}, nil
}

// Record appends one line. It does so even after ctx has ended: what is
// recorded has happened already. After Close it fails with [os.ErrClosed].
// Records reach the disk with Sync, or when the system writes them back.
func (a *AuditFile) Record(_ context.Context, r AuditRecord) error {
	var line bytes.Buffer
	enc := json.NewEncoder(&line)
	enc.SetEscapeHTML(false)
	line.WriteByte('\n')
	if err := enc.Encode(r); err != nil {
		return fmt.Errorf("write audit file %s: %w", a.path, err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.file == nil {
		return fmt.Errorf("write audit file %s: %w", a.path, os.ErrClosed)
	}
	text := line.Bytes()
	if !a.torn {
		text = text[1:]
	}
	n, err := a.file.Write(text)
	if err != nil {
		// A full disk takes the beginning of a line.
		a.torn = a.torn || n > 0
		return fmt.Errorf("write audit file: %w", err)
	}
	a.torn = false
	return nil
}

// Sync flushes every record to disk.
func (a *AuditFile) Sync() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.file == nil {
		return fmt.Errorf("sync audit file %s: %w", a.path, os.ErrClosed)
	}
	if err := a.file.Sync(); err != nil {
		return fmt.Errorf("sync audit file: %w", err)
	}
	return nil
}

// Close flushes and closes the file. Closing it again does nothing.
func (a *AuditFile) Close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.file == nil {
		return nil
	}
	err := errors.Join(a.file.Sync(), a.file.Close())
	a.file = nil
	if err != nil {
		return fmt.Errorf("close audit file: %w", err)
	}
	return nil
}

// tornLine reports whether the last line of a file has no end.
func tornLine(file *os.File) (bool, error) {
	info, err := file.Stat()
	if err != nil || info.Size() == 0 {
		return false, err
	}
	var last [1]byte
	if _, err := file.ReadAt(last[:], info.Size()-1); err != nil && err != io.EOF {
		return false, err
	}
	return last[0] != '\n', nil
}

// syncParent makes the name of a new file durable.
func syncParent(path string) error {
	root, err := os.OpenRoot(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer root.Close()
	return durable.SyncDir(root, ".")
}
