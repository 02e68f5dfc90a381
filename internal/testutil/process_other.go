//go:build !linux

package testutil

import "os/exec"

// dieWithParent does nothing here: a child is ended by the test's cleanup only,
// and survives a test process that is killed.
func dieWithParent(*exec.Cmd) {}
