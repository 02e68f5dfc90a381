package local

import (
	"path/filepath"
	"strings"
)

const maxPath = 32767

// checkNameOS follows "Naming Files, Paths, and Namespaces"
// (https://learn.microsoft.com/windows/win32/fileio/naming-a-file).
func checkNameOS(name string) error {
	if i := strings.IndexAny(name, `\:*?"<>|`); i >= 0 {
		return invalidKey("", "a Windows file name cannot hold %q", name[i])
	}
	for _, c := range []byte(name) {
		if c < ' ' {
			return invalidKey("", "a Windows file name cannot hold the control character %#x", c)
		}
	}
	if last := name[len(name)-1]; last == '.' || last == ' ' {
		return invalidKey("", "Windows drops a dot or space at the end of a file name")
	}
	if !filepath.IsLocal(name) {
		return invalidKey("", "%q is the name of a device on Windows", name)
	}
	return nil
}

func sameName(a, b string) bool { return strings.EqualFold(a, b) }
