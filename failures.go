package replication

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"
)

// failures keeps the failed objects of one pass: their number, the first ones,
// and all of them in a file.
type failures struct {
	path string

	mu    sync.Mutex // guards the rest
	n     int64
	first []*ObjectError
	file  *os.File // nil until the first
	buf   *bufio.Writer
}

// newFailures forgets the failures of the pass before.
func newFailures(path string) (*failures, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return &failures{path: path}, nil
}

func (f *failures) add(e *ObjectError) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.n++
	if len(f.first) < maxResultErrors {
		f.first = append(f.first, e)
	}
	if f.file == nil {
		file, err := os.OpenFile(f.path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
		if err != nil {
			return fmt.Errorf("list failed objects: %w", err)
		}
		f.file, f.buf = file, bufio.NewWriter(file)
	}
	line, err := json.Marshal(struct {
		Time   time.Time `json:"time"`
		Policy string    `json:"policy_id"`
		Key    string    `json:"key"`
		Error  string    `json:"error"`
	}{time.Now().UTC(), e.PolicyID, e.Key, e.Err.Error()})
	if err == nil {
		_, err = f.buf.Write(append(line, '\n'))
	}
	if err != nil {
		return fmt.Errorf("list failed objects: %w", err)
	}
	return nil
}

func (f *failures) count() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.n
}

// summary returns the first failures and the file that lists them all.
func (f *failures) summary() ([]*ObjectError, string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.n == 0 {
		return nil, ""
	}
	return f.first, f.path
}

func (f *failures) close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.file == nil {
		return nil
	}
	return errors.Join(f.buf.Flush(), f.file.Close())
}
