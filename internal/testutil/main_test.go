package testutil

import (
	"os"
	"testing"
)

func TestMain(m *testing.M) {
	if os.Getenv(orphanEnv) != "" {
		startOrphan()
	}
	Main(m, Servers()...)
}
