//go:build unix && !linux && !darwin

package durable

import "errors"

func renameExclusive(int, string, int, string) error { return errors.ErrUnsupported }
