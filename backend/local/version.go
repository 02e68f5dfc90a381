package local

import (
	"io/fs"
	"strconv"
	"time"

	"github.com/objrepl/replication/backend"
)

// A moment is a file time as the system has it: time.Time would do, but is
// slower to make and to compare, and a listing makes two per file.
type moment struct{ sec, nsec int64 }

func (m moment) time() time.Time { return time.Unix(m.sec, m.nsec) }

// A version is what identifies the content of a file at one look.
type version struct {
	size         int64
	mtime, ctime moment
	ino, dev     uint64
	mode         fs.FileMode
	seen         moment // right before the look; zero makes the stamp unsettled
}

// tag spells modification time, inode and size. None of it is derived from the
// content, and an edit that keeps all three is what the stamp is for.
func (v version) tag() backend.Tag {
	b := make([]byte, 0, 48)
	return backend.Tag(v.appendTag(b))
}

func (v version) appendTag(b []byte) []byte {
	b = appendMoment(b, v.mtime)
	b = append(b, '-')
	b = strconv.AppendUint(b, v.ino, 36)
	b = append(b, '-')
	return strconv.AppendInt(b, v.size, 36)
}

// unsettled marks a stamp that a later change could repeat.
const unsettled = '~'

func (v version) appendStamp(b []byte) []byte {
	if v.ctime == (moment{}) {
		return b // the system has no such time
	}
	b = appendMoment(b, v.ctime)
	if v.racy() {
		b = append(b, unsettled)
	}
	return b
}

func appendMoment(b []byte, m moment) []byte {
	b = strconv.AppendInt(b, m.sec, 36)
	b = append(b, '.')
	return strconv.AppendInt(b, m.nsec, 36)
}

// Kernels stamp files from a clock that ticks every 1 to 10 ms; file systems
// without ns (ext3, HFS+, FAT) round to one or two seconds.
const (
	fineTick   = 20 * time.Millisecond
	coarseTick = 2 * time.Second
)

// racy reports whether a change right after our look could have left the same
// status change time. One that lies ahead of our clock says nothing at all.
func (v version) racy() bool {
	tick := fineTick
	if v.ctime.nsec == 0 {
		tick = coarseTick
	}
	age := v.seen.time().Sub(v.ctime.time())
	return age < tick
}

// same reports whether two looks saw the same content, as far as the system
// can tell.
func (v version) same(w version) bool {
	return v.size == w.size && v.mtime == w.mtime && v.ctime == w.ctime && v.ino == w.ino && v.dev == w.dev
}

func (v version) sameFile(w version) bool {
	return v.ino == w.ino && v.dev == w.dev && v.ino != 0
}

func now() moment {
	t := time.Now()
	return moment{t.Unix(), int64(t.Nanosecond())}
}

// object describes the file under key. Tag and stamp share one allocation.
func (v version) object(key string) backend.Object {
	var buf [96]byte
	b := v.appendTag(buf[:0])
	n := len(b)
	both := string(v.appendStamp(b))
	return backend.Object{
		Key: key, Size: v.size, Tag: backend.Tag(both[:n]), Stamp: both[n:], Modified: v.mtime.time(),
	}
}
