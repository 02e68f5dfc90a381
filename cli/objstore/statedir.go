package main

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
)

// defaultStateDir returns the directory that holds policies and ledgers where
// --state-dir does not say: $OBJSTORE_STATE_DIR, else where the platform keeps
// what programs remember of their own (XDG Base Directory Specification 0.8;
// Apple's File System Programming Guide; the local application data of Windows,
// since a ledger is of one machine and must not roam).
func defaultStateDir() (string, error) {
	if dir := os.Getenv("OBJSTORE_STATE_DIR"); dir != "" {
		return dir, nil
	}
	const name = "objstore"
	switch runtime.GOOS {
	case "windows":
		if dir := os.Getenv("LocalAppData"); dir != "" {
			return filepath.Join(dir, name), nil
		}
	case "darwin", "ios":
		if home, err := os.UserHomeDir(); err == nil {
			return filepath.Join(home, "Library", "Application Support", name), nil
		}
	default:
		// The specification has relative values ignored.
		if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
			return filepath.Join(dir, name), nil
		}
		if home, err := os.UserHomeDir(); err == nil {
			return filepath.Join(home, ".local", "state", name), nil
		}
	}
	return "", &usageError{errors.New("no directory to keep state in"), "give --state-dir or set OBJSTORE_STATE_DIR"}
}
