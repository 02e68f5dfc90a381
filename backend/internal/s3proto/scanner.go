package s3proto

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A scanner yields the tags of a small XML document: elements, text and
// entities, which is all that listings are made of. Anything else is an error,
// never skipped.
type scanner struct {
	data  []byte
	stack [][]byte // names of open elements
	shut  []byte   // name of an element "<a/>" that is still to be closed
}

type kind int

const (
	endOfData kind = iota
	open
	shut
)

// A tag is the beginning or the end of an element. The text of an end is what
// stands between it and the tag before: all of it where no element is inside.
type tag struct {
	kind kind
	name []byte
	text []byte
}

// maxDepth is far beyond that of a listing, which is 4.
const maxDepth = 16

func (s *scanner) next() (tag, error) {
	if s.shut != nil {
		name := s.shut
		s.shut = nil
		return tag{kind: shut, name: name}, nil
	}
	for {
		lt := bytes.IndexByte(s.data, '<')
		if lt < 0 {
			if len(s.stack) > 0 || len(bytes.TrimSpace(s.data)) > 0 {
				return tag{}, errors.New("it ends within an element")
			}
			return tag{}, nil
		}
		text := s.data[:lt]
		gt := bytes.IndexByte(s.data[lt:], '>')
		if gt < 0 {
			return tag{}, errors.New("it ends within a tag")
		}
		inside := s.data[lt+1 : lt+gt]
		s.data = s.data[lt+gt+1:]
		if len(s.stack) == 0 && len(bytes.TrimSpace(bytes.TrimPrefix(text, []byte("\xef\xbb\xbf")))) > 0 {
			return tag{}, errors.New("there is text outside of the root element")
		}
		switch {
		case len(inside) == 0:
			return tag{}, errors.New("there is a tag without a name")
		case inside[0] == '?':
			continue // the XML declaration
		case inside[0] == '!':
			return tag{}, errors.New("there is a comment, CDATA section or DOCTYPE")
		case inside[0] == '/':
			name := bytes.TrimRight(inside[1:], " \t\r\n")
			last := len(s.stack) - 1
			if last < 0 || !bytes.Equal(s.stack[last], name) {
				return tag{}, fmt.Errorf("</%.40s> closes nothing", name)
			}
			s.stack = s.stack[:last]
			return tag{kind: shut, name: name, text: text}, nil
		}
		inside, empty := bytes.CutSuffix(inside, []byte("/"))
		name := inside
		if i := bytes.IndexAny(inside, " \t\r\n"); i >= 0 {
			// An attribute may hold ">", which would have cut the tag short:
			// then its quotes do not pair.
			if name = inside[:i]; bytes.Count(inside[i:], []byte(`"`))%2 != 0 {
				return tag{}, errors.New("there is a tag that cannot be read")
			}
		}
		if empty {
			s.shut = name
			return tag{kind: open, name: name}, nil
		}
		if len(s.stack) == maxDepth {
			return tag{}, errors.New("it is nested too deep")
		}
		s.stack = append(s.stack, name)
		return tag{kind: open, name: name}, nil
	}
}

var entities = map[string]string{"amp": "&", "lt": "<", "gt": ">", "quot": `"`, "apos": "'"}

// unescape returns text with its entities resolved.
func unescape(text []byte) (string, error) {
	if bytes.IndexByte(text, '&') < 0 {
		return string(text), nil
	}
	var b strings.Builder
	for {
		before, after, found := bytes.Cut(text, []byte("&"))
		b.Write(before)
		if !found {
			return b.String(), nil
		}
		name, rest, found := bytes.Cut(after, []byte(";"))
		if !found {
			return "", errors.New("an entity does not end")
		}
		text = rest
		if plain, ok := entities[string(name)]; ok {
			b.WriteString(plain)
			continue
		}
		number, ok := strings.CutPrefix(string(name), "#")
		base := 10
		if hex, isHex := strings.CutPrefix(number, "x"); isHex {
			number, base = hex, 16
		}
		r, err := strconv.ParseUint(number, base, 32)
		if !ok || err != nil || !utf8.ValidRune(rune(r)) {
			return "", fmt.Errorf("unknown entity &%.10s;", name)
		}
		b.WriteRune(rune(r))
	}
}
