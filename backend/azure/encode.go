package azure

import (
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/objrepl/replication/backend/internal/usermeta"
)

// Names of user metadata are C# identifiers to Azure, whose cases are one
// (https://learn.microsoft.com/en-us/rest/api/storageservices/naming-and-referencing-containers--blobs--and-metadata).
// A character that is none of one is written as "_" and its two hex digits:
// "objrepl_2dmarker". An underscore stays, unless it would begin what reads so;
// names of other programs are thereby what they are.

const hexDigits = "0123456789abcdef"

var errName = errors.New("the name is no HTTP token")

// encodeName returns the name in lower case as Azure takes it.
func encodeName(name string) (string, error) {
	name = strings.ToLower(name)
	if name == "" {
		return "", errName
	}
	var b strings.Builder
	for i := range len(name) {
		c := name[i]
		switch {
		case letter(c), digit(c) && i > 0:
			b.WriteByte(c)
		case c == '_':
			if _, taken := escaped(name[i:], i == 0); !taken {
				b.WriteByte(c)
				continue
			}
			b.WriteString("_5f")
		case digit(c), special(c):
			b.WriteString("_" + hexDigits[c>>4:c>>4+1] + hexDigits[c&15:c&15+1])
		default:
			return "", errName
		}
	}
	return b.String(), nil
}

// decodeName is the inverse, and leaves alone what is in no escape of ours.
func decodeName(name string) string {
	var b strings.Builder
	for i := 0; i < len(name); i++ {
		if c, ok := escaped(name[i:], i == 0); ok {
			b.WriteByte(c)
			i += 2
			continue
		}
		b.WriteByte(name[i])
	}
	return b.String()
}

// escaped reads an escape at the beginning of s. A digit is one only where the
// name begins, and an underscore only before what would read as one without it:
// "_5f" alone is somebody's name.
func escaped(s string, first bool) (byte, bool) {
	if len(s) < 3 || s[0] != '_' {
		return 0, false
	}
	high, low := strings.IndexByte(hexDigits, s[1]), strings.IndexByte(hexDigits, s[2])
	if high < 0 || low < 0 {
		return 0, false
	}
	c := byte(high<<4 | low)
	if c == '_' {
		_, taken := escaped("_"+s[3:], first)
		return c, taken
	}
	return c, special(c) || first && digit(c)
}

func letter(c byte) bool { return 'a' <= c && c <= 'z' }
func digit(c byte) bool  { return '0' <= c && c <= '9' }

// special says of a character that it is one of a token (RFC 9110, section
// 5.6.2) but not of an identifier.
func special(c byte) bool { return strings.IndexByte("!#$%&'*+-.^`|~", c) >= 0 }

// encodeValue returns a value that headers and signatures leave alone.
func encodeValue(value string) (string, error) {
	switch {
	case !utf8.ValidString(value):
		return "", errors.New("the value is not UTF-8")
	case value == "":
		return usermeta.Empty, nil
	}
	return usermeta.Encode(value), nil
}
