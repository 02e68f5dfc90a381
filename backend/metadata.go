package backend

import (
	"fmt"
	"maps"
	"math"
	"strconv"
	"strings"
	"time"
)

// Metadata is what is stored beside an object's bytes and travels with them. A
// Put keeps all of it exactly or refuses it whole, with ErrInvalidMetadata or
// errors.ErrUnsupported; it drops nothing in silence.
type Metadata struct {
	ContentType        string
	ContentEncoding    string
	ContentLanguage    string
	ContentDisposition string
	CacheControl       string
	// ModTime is when the content was last modified at its origin, zero where
	// that is not known. A file system keeps it as the file's mtime; an object
	// store as user metadata under [ModTimeKey], which drivers translate, so
	// it never appears in User.
	ModTime time.Time
	// User is the application's own metadata. Names are lower case, since
	// stores that carry them in HTTP headers do not tell cases apart: a Put
	// lowers others or refuses them, and refuses two that differ in case alone
	// as well as ModTimeKey.
	User map[string]string
}

// ReservedPrefix begins the names in Metadata.User that belong to this
// library. They speak of the very bytes they were put with: a store in which
// bytes can be changed in place drops them then. Source objects cannot pass
// such names on.
const ReservedPrefix = "objrepl-"

// ModTimeKey is the user metadata name under which object stores keep
// Metadata.ModTime, the one that rclone and s3fs know. S3 has it as
// FormatModTime writes it, as both do there
// (https://rclone.org/s3/#modification-times-and-hashes); Google Cloud Storage
// and Azure as RFC 3339, as rclone does there. ParseModTime reads all.
const ModTimeKey = "mtime"

// FormatModTime renders t for ModTimeKey in decimal seconds since 1970, with
// nine decimals or none: s3fs reads what is behind the point as nanoseconds.
func FormatModTime(t time.Time) string {
	sec, nsec := t.Unix(), int64(t.Nanosecond())
	sign := ""
	if sec < 0 {
		// A time before 1970 is -(whole seconds) and a fraction of the same sign.
		sign = "-"
		if nsec > 0 {
			sec, nsec = sec+1, 1_000_000_000-nsec
		}
		sec = -sec
	}
	s := sign + strconv.FormatInt(sec, 10)
	if nsec > 0 {
		s += fmt.Sprintf(".%09d", nsec)
	}
	return s
}

// ParseModTime reads what FormatModTime, rclone or s3fs wrote: seconds, or a
// time as in RFC 3339.
func ParseModTime(s string) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return t, nil
	}
	bad := fmt.Errorf("%s metadata %q is not a number of seconds", ModTimeKey, s)
	whole, frac, hasFrac := strings.Cut(s, ".")
	digits, negative := strings.CutPrefix(whole, "-")
	sec, err := strconv.ParseUint(digits, 10, 63)
	if err != nil || sec > math.MaxInt64/2 || (hasFrac && (frac == "" || strings.Trim(frac, "0123456789") != "")) {
		return time.Time{}, bad
	}
	nsec, _ := strconv.ParseInt((frac + "000000000")[:9], 10, 64)
	if negative {
		return time.Unix(-int64(sec), -nsec), nil
	}
	return time.Unix(int64(sec), nsec), nil
}

// Clone returns a copy that shares nothing with m.
func (m Metadata) Clone() Metadata {
	m.User = maps.Clone(m.User)
	return m
}

// UserSize returns the bytes that m.User takes of Properties.MaxMetadata, with
// those of a ModTime that the store keeps there.
func (m Metadata) UserSize() int {
	n := 0
	for k, v := range m.User {
		n += len(k) + len(v)
	}
	if !m.ModTime.IsZero() {
		n += len(ModTimeKey) + len(FormatModTime(m.ModTime))
	}
	return n
}
