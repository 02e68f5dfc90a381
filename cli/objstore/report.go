package main

import (
	"bufio"
	"errors"
	"os"
)

// A report is a file that lines are written to as they are found. The nil
// report is none.
type report struct {
	file *os.File
	buf  *bufio.Writer
}

// openReport begins a report, or returns nil where no file is named.
func openReport(name string) (*report, error) {
	if name == "" {
		return nil, nil
	}
	f, err := os.Create(name)
	if err != nil {
		return nil, err
	}
	return &report{f, bufio.NewWriter(f)}, nil
}

func (r *report) Write(p []byte) (int, error) { return r.buf.Write(p) }

// close reports also what could not be written before.
func (r *report) close() error {
	if r == nil {
		return nil
	}
	return errors.Join(r.buf.Flush(), r.file.Close())
}
