package gcs

import (
	"cmp"
	"strings"
	"unicode/utf8"

	"cloud.google.com/go/storage"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/internal/usermeta"
)

// maxMetadata bounds the user metadata, names and values in bytes
// (https://cloud.google.com/storage/quotas#objects).
const maxMetadata = 8<<10 - usermeta.ModTimeRoom

// noType is written where there is no content type, since the store may choose
// "application/octet-stream" at the end of a resumable upload
// (https://cloud.google.com/storage/docs/metadata#content-type), which is one; it
// reads as none. It is what S3 calls such objects.
const noType = "binary/octet-stream"

// attributesOf returns what is stored beside the bytes, or with an error that
// wraps backend.ErrInvalidMetadata why it cannot be. The JSON API carries it in
// documents, so that values may be any text.
func (s *Store) attributesOf(opts backend.PutOptions) (storage.ObjectAttrs, error) {
	m := opts.Metadata
	attrs := storage.ObjectAttrs{
		StorageClass: cmp.Or(opts.Class, s.class),
		ContentType:  m.ContentType, ContentEncoding: m.ContentEncoding, ContentLanguage: m.ContentLanguage,
		ContentDisposition: m.ContentDisposition, CacheControl: m.CacheControl,
	}
	if err := usermeta.CheckNone(opts.ObjectTags, ""); err != nil {
		return attrs, err
	}
	if opts.Class != "" {
		if err := checkClass(opts.Class); err != nil {
			return attrs, usermeta.Refuse("storage class %.80q: %v", opts.Class, err)
		}
	}
	if err := usermeta.CheckSize(m, maxMetadata); err != nil {
		return attrs, err
	}
	for _, f := range usermeta.Fields(&m) {
		// Readers get them as HTTP headers.
		if !utf8.ValidString(*f.Value) || strings.ContainsFunc(*f.Value, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			return attrs, usermeta.Refuse("the %s %.80q has control characters or is not UTF-8", f.Name, *f.Value)
		}
	}
	if attrs.ContentType == "" {
		attrs.ContentType = noType
	}
	user := make(map[string]string, len(m.User)+1)
	for name, value := range m.User {
		lower := strings.ToLower(name)
		switch _, twice := user[lower]; {
		case name == "" || !utf8.ValidString(name) || !utf8.ValidString(value):
			return attrs, usermeta.Refuse("the name %.80q is empty, or it or its value is not UTF-8", name)
		case twice:
			return attrs, usermeta.Refuse("two names are %.80q but for case", lower)
		case lower == backend.ModTimeKey:
			return attrs, usermeta.Refuse("%q is the name of the modification time, and %.80q is none", name, value)
		}
		user[lower] = value
	}
	if !m.ModTime.IsZero() {
		user[backend.ModTimeKey] = usermeta.FormatModTime(m.ModTime)
	}
	attrs.Metadata = user
	return attrs, nil
}

// metadataOf reads what attributesOf wrote, or another program. Names that
// differ in case alone, which the store alone keeps apart, are refused: nobody
// could say which of them counts.
func metadataOf(a *storage.ObjectAttrs) (*backend.Metadata, error) {
	m := &backend.Metadata{
		ContentType: a.ContentType, ContentEncoding: a.ContentEncoding, ContentLanguage: a.ContentLanguage,
		ContentDisposition: a.ContentDisposition, CacheControl: a.CacheControl,
	}
	if m.ContentType == noType {
		m.ContentType = ""
	}
	user := make(map[string]string, len(a.Metadata))
	for name, value := range a.Metadata {
		lower := strings.ToLower(name)
		if _, twice := user[lower]; twice {
			return nil, usermeta.Refuse("two names are %.80q but for case; remove one of them", lower)
		}
		user[lower] = value
	}
	if value, ok := user[backend.ModTimeKey]; ok {
		if t, err := backend.ParseModTime(value); err == nil {
			m.ModTime = t
			delete(user, backend.ModTimeKey)
		}
	}
	if len(user) > 0 {
		m.User = user
	}
	return m, nil
}
