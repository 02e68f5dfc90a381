package main

import (
	"crypto/rand"
	"errors"
	"io"
	"os"
	"path/filepath"
)

// saveFile writes what r yields to a file: all of it or, if r or the disk
// fails, nothing. The bytes reach the disk before the name does. A device or a
// pipe of that name is written to as it is.
func saveFile(name string, r io.Reader) error {
	if info, err := os.Stat(name); err == nil && !info.Mode().IsRegular() {
		return writeThrough(name, r)
	}
	// Beside the target, since a rename does not cross file systems. Not
	// os.CreateTemp, whose files only their owner can read.
	temp := filepath.Join(filepath.Dir(name), ".objstore-"+rand.Text())
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(temp, name)
	}
	if err != nil {
		os.Remove(temp)
	}
	return err
}

func writeThrough(name string, r io.Reader) error {
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	return errors.Join(err, f.Close())
}
