//go:build !linux

package local

import (
	"context"
	"os"
)

// copyRange leaves everything to an ordinary copy.
func copyRange(context.Context, *os.File, *os.File, int64) (int64, error) { return 0, nil }
