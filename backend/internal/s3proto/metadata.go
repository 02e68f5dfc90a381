package s3proto

import (
	"encoding/base64"
	"fmt"
	"mime"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/objrepl/replication/backend"
)

// metaPrefix begins the headers of user metadata, in Go's canonical form.
const metaPrefix = "X-Amz-Meta-"

// noType is what S3 stores where a PUT names no content type. Writing it
// outright keeps servers from choosing another default, and reading it as "no
// type" makes the round trip of an empty type stable. That of an explicit
// "application/octet-stream" is stable too, since it is another string.
const noType = "binary/octet-stream"

// setMetadata adds the headers that carry m, or reports with an error that
// wraps backend.ErrInvalidMetadata why S3 cannot hold it.
//
// Names of user metadata are written in lower case. Values that are not plain
// visible ASCII are encoded per RFC 2047, which AWS decodes before it stores
// and encodes again where it answers
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html).
// Spaces at either end of the other fields are lost, as in any HTTP header.
func setMetadata(h http.Header, m backend.Metadata) error {
	if n := m.UserSize(); n > MaxMetadata {
		return invalid("user metadata has %d bytes, more than %d", n, MaxMetadata)
	}
	for _, f := range fields(&m) {
		value := strings.Trim(*f.value, " ")
		if strings.ContainsFunc(value, isControl) || !utf8.ValidString(value) {
			return invalid("%s contains control characters or is not UTF-8", f.name)
		}
		if value == "" && f.name == "Content-Type" {
			value = noType
		}
		if value != "" {
			h[f.name] = []string{value}
		}
	}
	for name, value := range m.User {
		if !isToken(name) {
			return invalid("the name %q is no HTTP token", name)
		}
		header := http.CanonicalHeaderKey(metaPrefix + name)
		if _, twice := h[header]; twice {
			return invalid("two names are %q but for case", strings.ToLower(name))
		}
		if !utf8.ValidString(value) {
			return invalid("the value of %q is not UTF-8", name)
		}
		h[header] = []string{encodeValue(value)}
	}
	if !m.ModTime.IsZero() {
		header := http.CanonicalHeaderKey(metaPrefix + backend.ModTimeKey)
		if _, twice := h[header]; twice {
			return invalid("%q is given both as user metadata and as the modification time", backend.ModTimeKey)
		}
		h[header] = []string{backend.FormatModTime(m.ModTime)}
	}
	return nil
}

// getMetadata reads what setMetadata wrote, or another program.
func getMetadata(h http.Header) backend.Metadata {
	var m backend.Metadata
	for _, f := range fields(&m) {
		*f.value = toUTF8(h.Get(f.name))
	}
	if m.ContentType == noType {
		m.ContentType = ""
	}
	m.ContentEncoding = withoutTransferCoding(m.ContentEncoding)
	for header, values := range h {
		name, ok := strings.CutPrefix(header, metaPrefix)
		if !ok || name == "" {
			continue
		}
		name = strings.ToLower(name)
		// A name sent twice is one list, as in any HTTP header.
		value := decodeValue(strings.Join(values, ","))
		if name == backend.ModTimeKey {
			if t, err := backend.ParseModTime(value); err == nil {
				m.ModTime = t
				continue
			}
		}
		if m.User == nil {
			m.User = make(map[string]string)
		}
		m.User[name] = value
	}
	return m
}

type field struct {
	name  string
	value *string
}

func fields(m *backend.Metadata) [5]field {
	return [5]field{
		{"Content-Type", &m.ContentType},
		{"Content-Encoding", &m.ContentEncoding},
		{"Content-Language", &m.ContentLanguage},
		{"Content-Disposition", &m.ContentDisposition},
		{"Cache-Control", &m.CacheControl},
	}
}

// withoutTransferCoding drops "aws-chunked", which says how an upload was
// framed and which some servers store as if it were part of the object.
func withoutTransferCoding(encoding string) string {
	if !strings.Contains(encoding, "aws-chunked") {
		return encoding
	}
	var kept []string
	for coding := range strings.SplitSeq(encoding, ",") {
		if coding = strings.TrimSpace(coding); coding != "" && coding != "aws-chunked" {
			kept = append(kept, coding)
		}
	}
	return strings.Join(kept, ",")
}

// wordSize keeps an encoded word within the 75 characters of RFC 2047.
const wordSize = 45

// encodeValue returns a value that HTTP, XML and signatures all leave alone.
func encodeValue(value string) string {
	plain := !strings.Contains(value, "=?") && strings.TrimSpace(value) == value
	for i := 0; plain && i < len(value); i++ {
		plain = value[i] >= ' ' && value[i] <= '~'
		// Signature Version 4 folds runs of spaces, and servers differ in
		// whether they do so before or after they store.
		plain = plain && (value[i] != ' ' || value[i-1] != ' ')
	}
	if plain {
		return value
	}
	var b strings.Builder
	for rest := value; rest != ""; {
		n := min(len(rest), wordSize)
		for n < len(rest) && !utf8.RuneStart(rest[n]) {
			n--
		}
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteString("=?UTF-8?B?" + base64.StdEncoding.EncodeToString([]byte(rest[:n])) + "?=")
		rest = rest[n:]
	}
	return b.String()
}

func decodeValue(value string) string {
	if strings.Contains(value, "=?") {
		var d mime.WordDecoder
		if decoded, err := d.DecodeHeader(value); err == nil {
			value = decoded
		}
	}
	return toUTF8(value)
}

// toUTF8 reads bytes that are no UTF-8 as ISO 8859-1, the charset that HTTP
// headers once had.
func toUTF8(value string) string {
	if utf8.ValidString(value) {
		return value
	}
	runes := make([]rune, len(value))
	for i := range len(value) {
		runes[i] = rune(value[i])
	}
	return string(runes)
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f }

// isToken says whether a name is a token of RFC 9110, section 5.6.2.
func isToken(name string) bool {
	for i := range len(name) {
		c := name[i]
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		if !letter && !strings.ContainsRune("!#$%&'*+-.^_`|~", rune(c)) {
			return false
		}
	}
	return name != ""
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %s", backend.ErrInvalidMetadata, fmt.Sprintf(format, args...))
}
