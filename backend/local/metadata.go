package local

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unicode/utf8"

	"github.com/pkg/xattr"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/internal/usermeta"
)

const (
	attrName     = "user.objrepl"
	mimeAttr     = "user.mime_type" // https://specifications.freedesktop.org/shared-mime-info-spec
	recordFormat = 1
	maxHeader    = 4 << 10 // bytes of one content header
	maxRecord    = 1 << 20 // bytes of one record as JSON, which can be six times its text
)

// A record is metadata as it is stored, in the attribute or the sidecar.
type record struct {
	Version     int               `json:"v"`
	Type        string            `json:"type,omitempty"`
	Encoding    string            `json:"encoding,omitempty"`
	Language    string            `json:"language,omitempty"`
	Disposition string            `json:"disposition,omitempty"`
	Cache       string            `json:"cache,omitempty"`
	User        map[string]string `json:"user,omitempty"`
	// Of is the modification time and size of the file that names with
	// backend.ReservedPrefix speak of. An attribute stays with a file whose
	// bytes somebody else changes in place, and what it says of them does not.
	Of string `json:"of,omitempty"`
}

// plan is what a Put applies to its file beside the bytes.
type plan struct {
	record  []byte       // nil where there is nothing to store
	stated  *record      // record again, if it says something of the very bytes
	perm    *fs.FileMode // nil to leave what the umask gave
	modTime time.Time
}

// planFor checks metadata and decides where each part of it goes.
func (s *store) planFor(m backend.Metadata) (plan, error) {
	p := plan{modTime: m.ModTime}
	bad := func(format string, args ...any) (plan, error) {
		return plan{}, &classified{class: backend.ErrInvalidMetadata, cause: fmt.Sprintf(format, args...)}
	}
	if err := usermeta.CheckSize(m, maxMetadata); err != nil {
		return plan{}, err
	}
	for _, f := range usermeta.Fields(&m) {
		if len(*f.Value) > maxHeader || !utf8.ValidString(*f.Value) {
			return bad("the %s %.40q is not UTF-8 text of at most %d bytes", f.Name, *f.Value, maxHeader)
		}
	}
	// A time is set in ns since 1970 in 64 bits.
	if t := m.ModTime; !t.IsZero() && (t.Unix() <= math.MinInt64/int64(time.Second) || t.Unix() >= math.MaxInt64/int64(time.Second)) {
		return bad("modification time %s is out of the range of a file system", t)
	}
	r := record{
		Version: recordFormat, Type: m.ContentType, Encoding: m.ContentEncoding,
		Language: m.ContentLanguage, Disposition: m.ContentDisposition, Cache: m.CacheControl,
	}
	for name, value := range m.User {
		// JSON would silently replace what is not UTF-8.
		if name == "" || !utf8.ValidString(name) || !utf8.ValidString(value) {
			return bad("user metadata %.40q is not UTF-8 text", name)
		}
		if s.keep && name == modeName {
			perm, ok := parseMode(value)
			if !ok {
				return bad("user metadata %q is %.40q, which is no mode of a regular file", modeName, value)
			}
			p.perm = &perm
			continue
		}
		lower := strings.ToLower(name)
		if _, twice := r.User[lower]; twice || lower == backend.ModTimeKey {
			return bad("user metadata %.40q is there twice, or stands for the modification time", lower)
		}
		if r.User == nil {
			r.User = make(map[string]string, len(m.User))
		}
		r.User[lower] = value
	}
	if r.empty() {
		return p, nil
	}
	if r.reserved() {
		p.stated = &r
	}
	var err error
	p.record, err = r.encode()
	return p, err
}

// reserved reports whether the record has names that speak of one version.
func (r record) reserved() bool {
	for name := range r.User {
		if strings.HasPrefix(name, backend.ReservedPrefix) {
			return true
		}
	}
	return false
}

// of spells what record.Of holds.
func of(mtime moment, size int64) string {
	return string(strconv.AppendInt(append(appendMoment(nil, mtime), '-'), size, 36))
}

// forget leaves out what the record says of other bytes than those of v.
func (r *record) forget(v version) {
	mtime, size, ok := strings.Cut(r.Of, "-")
	if !ok {
		return
	}
	sec, _, _ := strings.Cut(mtime, ".")
	same := mtime == string(appendMoment(nil, v.mtime)) ||
		// A file system without fractions of a second has cut them off.
		v.mtime.nsec == 0 && sec == strconv.FormatInt(v.mtime.sec, 36)
	if same && size == strconv.FormatInt(v.size, 36) {
		return
	}
	for name := range r.User {
		if strings.HasPrefix(name, backend.ReservedPrefix) {
			delete(r.User, name)
		}
	}
}

func (r record) empty() bool {
	return r.Type == "" && r.Encoding == "" && r.Language == "" && r.Disposition == "" && r.Cache == "" && len(r.User) == 0
}

func (r record) encode() ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(r)
	return bytes.TrimRight(b.Bytes(), "\n"), err
}

// decodeRecord refuses what it does not understand: metadata that is silently
// left out would be replicated as such.
func decodeRecord(b []byte, where string) (record, error) {
	var r record
	bad := func(cause string) (record, error) {
		return record{}, &classified{class: backend.ErrInvalidMetadata, cause: where + " " + cause,
			hint: "it was damaged or written by a newer version of this program; update, or remove it"}
	}
	if len(b) > maxRecord {
		return bad(fmt.Sprintf("has more than %d bytes", maxRecord))
	}
	if err := json.Unmarshal(b, &r); err != nil {
		return bad("is not readable: " + err.Error())
	}
	if r.Version != recordFormat {
		return bad(fmt.Sprintf("has format %d, and this program knows %d", r.Version, recordFormat))
	}
	return r, nil
}

// metadata reads what is stored beside the bytes of f, an open version v of key.
func (s *store) metadata(h *handle, key string, f *os.File, v version) (*backend.Metadata, error) {
	var r record
	raw, err := getAttr(f, attrName)
	switch {
	case err != nil:
		return nil, err
	case raw != nil:
		r, err = decodeRecord(raw, "extended attribute "+attrName)
		r.forget(v)
	default:
		r, err = s.sidecar(h, key, v)
		if err == nil && r.empty() {
			r.Type = mimeType(f)
		}
	}
	if err != nil {
		return nil, err
	}
	m := &backend.Metadata{
		ContentType: r.Type, ContentEncoding: r.Encoding, ContentLanguage: r.Language,
		ContentDisposition: r.Disposition, CacheControl: r.Cache,
		ModTime: v.mtime.time(), User: r.User,
	}
	if s.keep {
		if m.User == nil {
			m.User = map[string]string{}
		}
		m.User[modeName] = formatMode(v.mode)
	}
	return m, nil
}

// getAttr returns nil for an attribute that is not there, also where the file
// system has none at all.
func getAttr(f *os.File, name string) ([]byte, error) {
	b, err := xattr.FGet(f, name)
	switch {
	case err == nil && b == nil:
		return []byte{}, nil
	case errors.Is(err, xattr.ENOATTR), errors.Is(err, errors.ErrUnsupported), errors.Is(err, syscall.EOPNOTSUPP):
		return nil, nil
	case !xattr.XATTR_SUPPORTED:
		return nil, nil
	}
	return b, err
}

// noAttr reports whether metadata has to go to a sidecar: no attributes here,
// or none of this size. A file system that is really full fails there again.
func noAttr(err error) bool {
	if !xattr.XATTR_SUPPORTED {
		return true
	}
	for _, e := range []error{errors.ErrUnsupported, syscall.EOPNOTSUPP, syscall.ENOSPC, syscall.E2BIG, syscall.ERANGE} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// mimeType is what other programs recorded, or nothing if it looks wrong.
func mimeType(f *os.File) string {
	b, err := getAttr(f, mimeAttr)
	if err != nil || len(b) > 255 {
		return ""
	}
	for _, c := range b {
		if c < ' ' || c > '~' {
			return ""
		}
	}
	return string(b)
}
