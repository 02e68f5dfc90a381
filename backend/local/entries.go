package local

import (
	"bytes"
	"errors"
	"slices"
	"unsafe"
)

// An entry is one name of a directory that a listing is after, in 8 bytes: the
// fewer they are, the more names fit in memory.
type entry struct {
	at   uint32 // where the name begins in entries.text
	size uint16
	kind uint8
}

const (
	isFile uint8 = iota
	isDir
	isLink    // to a file, followed
	isBadLink // followed, but to nowhere
	isSpecial
	isBadName // no key can have it
)

// entries are the names of one directory, those of directories with a slash at
// the end: so spelled, their order is that of all the keys below them.
type entries struct {
	dir  string // with a slash at the end, or empty
	text []byte
	list []entry
}

func (e *entries) name(i int) []byte {
	x := e.list[i]
	return e.text[x.at : int(x.at)+int(x.size)]
}

var errTooMany = errors.New("directory is too large to read ahead")

// add appends a name. All of them together are below 4 GiB (see sortLimits).
func (e *entries) add(name []byte, kind uint8) {
	at := len(e.text)
	e.text = append(e.text, name...)
	e.list = append(e.list, entry{at: uint32(at), size: uint16(len(e.text) - at), kind: kind})
}

const entryBytes = int(unsafe.Sizeof(entry{}))

// bytes is how much memory the names take.
func (e *entries) bytes() int { return len(e.text) + entryBytes*len(e.list) }

// sort puts the names in byte order. A directory that changes while it is read
// may show a name twice.
func (e *entries) sort() {
	slices.SortFunc(e.list, func(a, b entry) int {
		return bytes.Compare(e.text[a.at:int(a.at)+int(a.size)], e.text[b.at:int(b.at)+int(b.size)])
	})
	e.list = slices.CompactFunc(e.list, func(a, b entry) bool {
		return bytes.Equal(e.text[a.at:int(a.at)+int(a.size)], e.text[b.at:int(b.at)+int(b.size)])
	})
}

// span is the part of the key space that a listing is after.
type span struct{ prefix, after, until string }

// holds reports whether a key is in the span.
func (r span) holds(key []byte) bool {
	return len(key) >= len(r.prefix) && string(key[:len(r.prefix)]) == r.prefix &&
		string(key) > r.after && (r.until == "" || string(key) <= r.until)
}

// touches reports whether keys below dir, which ends in a slash, can be.
func (r span) touches(dir []byte) bool {
	n := min(len(dir), len(r.prefix))
	switch {
	case string(dir[:n]) != r.prefix[:n]:
		return false
	case r.until != "" && string(dir) >= r.until:
		return false
	case string(dir) > r.after:
		return true
	}
	// dir sorts at or before after, and so does all below it, unless after is
	// below it too.
	return len(r.after) >= len(dir) && r.after[:len(dir)] == string(dir)
}

// covers reports whether all keys below dir are in the span, so that nobody
// needs to look at each.
func (r span) covers(dir string) bool {
	return len(dir) >= len(r.prefix) && dir[:len(r.prefix)] == r.prefix &&
		(dir > r.after || r.after == "") &&
		(r.until == "" || dir < r.until && (len(r.until) < len(dir) || r.until[:len(dir)] != dir))
}
