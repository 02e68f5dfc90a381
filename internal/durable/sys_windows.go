package durable

import (
	"errors"
	"os"
)

// openDir returns nothing: Windows cannot flush a directory, NTFS journals it.
func openDir(*os.Root, string) (*os.File, error) { return nil, nil }

func renameNoReplace(_ *os.Root, _, _ string) error { return errors.ErrUnsupported }
