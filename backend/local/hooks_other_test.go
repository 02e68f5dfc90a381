//go:build !linux

package local

import "testing"

func useWalk(*testing.T) {}
