//go:build !linux

package testutil

const orphanEnv = "OBJREPL_TESTUTIL_ORPHAN"

func startOrphan() {}
