package local

import (
	"strings"
	"unicode/utf8"

	"github.com/objrepl/replication/internal/durable"
)

// maxName is the longest file name of every common file system, in bytes.
const maxName = 255

// pathMargin leaves room for a temporary name beside the file, so that other
// programs can open by path whatever this package can.
const pathMargin = 64

// checkKey reports why key cannot be the name of a file below the store. The
// rules do not depend on what the directory holds.
func (s *store) checkKey(key string) error {
	switch {
	case key == "":
		return invalidKey("", "the key is empty")
	case len(key) > s.maxKey:
		return invalidKey("a shorter path for the store's directory leaves room for longer keys",
			"the key has %d bytes, more than the %d that fit below %s", len(key), s.maxKey, s.path)
	case !utf8.ValidString(key):
		return invalidKey("rename the file", "the name is not valid UTF-8, so no object store could hold it")
	case strings.IndexByte(key, 0) >= 0:
		return invalidKey("", "a file name cannot hold a NUL byte")
	case key[0] == '/':
		return invalidKey("", "a key that begins with a slash would be an absolute path")
	case key[len(key)-1] == '/':
		return invalidKey("", "a key that ends in a slash names a directory, which is not an object")
	}
	for i, rest := 0, key; rest != ""; i++ {
		var name string
		name, rest, _ = strings.Cut(rest, "/")
		if err := checkName(name, i == 0); err != nil {
			return err
		}
	}
	return nil
}

func checkName(name string, top bool) error {
	switch {
	case name == "":
		return invalidKey("", "two slashes in a row have no place in a path")
	case name == "." || name == "..":
		return invalidKey("", "%q is not a name but a direction in a path", name)
	case len(name) > maxName:
		return invalidKey("", "the part %.20q... has %d bytes, and a file name at most %d", name, len(name), maxName)
	case top && sameName(name, reserved):
		return invalidKey("", "%s at the top is reserved for this program's own files", reserved)
	case strings.HasPrefix(name, durable.TempPrefix):
		return invalidKey("", "names that begin with %s are temporary files and never listed", durable.TempPrefix)
	}
	return checkNameOS(name)
}
