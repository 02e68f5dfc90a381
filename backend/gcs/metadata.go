package gcs

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"cloud.google.com/go/storage"

	"github.com/objrepl/replication/backend"
)

// maxMetadata bounds the user metadata, names and values in bytes
// (https://cloud.google.com/storage/quotas#objects).
const maxMetadata = 8 << 10

// noType is written where there is no content type, since the store may choose
// "application/octet-stream" at the end of a resumable upload
// (https://cloud.google.com/storage/docs/metadata#content-type), which is one; it
// reads as none. It is what S3 calls such objects.
const noType = "binary/octet-stream"

// attributesOf returns what is stored beside the bytes, or with an error that
// wraps backend.ErrInvalidMetadata why it cannot be. The JSON API carries it in
// documents, so that values may be any text.
func attributesOf(m backend.Metadata) (storage.ObjectAttrs, error) {
	attrs := storage.ObjectAttrs{
		ContentType: m.ContentType, ContentEncoding: m.ContentEncoding, ContentLanguage: m.ContentLanguage,
		ContentDisposition: m.ContentDisposition, CacheControl: m.CacheControl,
	}
	if n := m.UserSize(); n > maxMetadata {
		return attrs, invalid("user metadata has %d bytes, more than %d", n, maxMetadata)
	}
	for _, value := range []string{m.ContentType, m.ContentEncoding, m.ContentLanguage, m.ContentDisposition, m.CacheControl} {
		// Readers get them as HTTP headers.
		if !utf8.ValidString(value) || strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			return attrs, invalid("%q has control characters or is not UTF-8", value)
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
			return attrs, invalid("the name %q is empty, or it or its value is not UTF-8", name)
		case twice:
			return attrs, invalid("two names are %q but for case", lower)
		case lower == backend.ModTimeKey:
			return attrs, invalid("%q is the name of the modification time", name)
		}
		user[lower] = value
	}
	if !m.ModTime.IsZero() {
		user[backend.ModTimeKey] = backend.FormatModTime(m.ModTime)
	}
	attrs.Metadata = user
	return attrs, nil
}

// metadataOf reads what attributesOf wrote, or another program. Of names that
// differ in case alone the lowest one counts.
func metadataOf(a *storage.ObjectAttrs) *backend.Metadata {
	m := &backend.Metadata{
		ContentType: a.ContentType, ContentEncoding: a.ContentEncoding, ContentLanguage: a.ContentLanguage,
		ContentDisposition: a.ContentDisposition, CacheControl: a.CacheControl,
	}
	if m.ContentType == noType {
		m.ContentType = ""
	}
	for _, name := range slices.Sorted(maps.Keys(a.Metadata)) {
		value, lower := a.Metadata[name], strings.ToLower(name)
		if lower == backend.ModTimeKey {
			if t, err := backend.ParseModTime(value); err == nil {
				m.ModTime = t
				continue
			}
		}
		if m.User == nil {
			m.User = map[string]string{}
		}
		m.User[lower] = value
	}
	return m
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %s", backend.ErrInvalidMetadata, fmt.Sprintf(format, args...))
}
