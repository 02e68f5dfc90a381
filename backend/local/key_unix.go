//go:build unix

package local

import (
	"runtime"
	"strings"
)

// maxPath is PATH_MAX: longer paths can be made, but not named in one call.
var maxPath = map[bool]int{true: 1024, false: 4096}[runtime.GOOS == "darwin"]

func checkNameOS(string) error { return nil }

// sameName tells cases apart, but not where the usual file system does not.
func sameName(a, b string) bool {
	return a == b || runtime.GOOS == "darwin" && strings.EqualFold(a, b)
}
