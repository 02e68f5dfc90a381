package azure

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/objrepl/replication/backend"
)

// Limits of names
// (https://learn.microsoft.com/en-us/rest/api/storageservices/naming-and-referencing-containers--blobs--and-metadata).
const (
	maxKey      = 1024 // characters; counted in UTF-16, in which the service keeps them
	maxSegments = 254
)

// checkKey refuses what the service refuses, and what it or something on the way
// takes for another name: a backslash is a slash to it, and it advises against
// segments that end in a dot, which some drop (so "a/../b" is "b" to them).
func checkKey(key string) error {
	reason := ""
	switch {
	case key == "":
		reason = "it is empty"
	case !utf8.ValidString(key):
		reason = "it is not valid UTF-8"
	case units(key) > maxKey:
		reason = fmt.Sprintf("it has more than %d characters", maxKey)
	case strings.Count(key, "/") >= maxSegments:
		reason = fmt.Sprintf("it has more than %d segments", maxSegments)
	case strings.ContainsFunc(key, unkept):
		reason = "Azure takes no control characters, backslashes and noncharacters"
	case strings.HasSuffix(key, ".") || strings.Contains(key, "./"):
		reason = "Azure may drop the dot at the end of a segment"
	default:
		return nil
	}
	return fmt.Errorf("%w: %s", backend.ErrInvalidKey, reason)
}

// unkept says of a character that no name holds it. U+FFFE and the like the
// service takes, and encodes in listings; Azurite cannot list them.
func unkept(r rune) bool {
	return r < ' ' || r >= 0x7f && r < 0xa0 || r == '\\' || r&0xfffe == 0xfffe
}

// units counts UTF-16 code units.
func units(s string) (n int) {
	for _, r := range s {
		n++
		if r > 0xffff {
			n++
		}
	}
	return n
}

// sendable returns the longest beginning of a bound that can be asked for.
func sendable(bound string) string {
	n := 0
	for i := 0; i < len(bound); {
		r, size := utf8.DecodeRuneInString(bound[i:])
		n += units(string(r))
		if r == utf8.RuneError && size == 1 || unkept(r) || n > maxKey {
			return bound[:i]
		}
		i += size
	}
	return bound
}
