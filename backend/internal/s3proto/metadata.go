package s3proto

import (
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/internal/usermeta"
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
	if err := usermeta.CheckSize(m, MaxMetadata); err != nil {
		return err
	}
	for i, f := range usermeta.Fields(&m) {
		value := strings.Trim(*f.Value, " ")
		if strings.ContainsFunc(value, isControl) || !utf8.ValidString(value) {
			return usermeta.Refuse("the %s has control characters or is not UTF-8", f.Name)
		}
		if value == "" && i == 0 {
			value = noType
		}
		if value != "" {
			h[headers[i]] = []string{value}
		}
	}
	for name, value := range m.User {
		if !isToken(name) {
			return usermeta.Refuse("the name %q is no HTTP token", name)
		}
		header := http.CanonicalHeaderKey(metaPrefix + name)
		if _, twice := h[header]; twice {
			return usermeta.Refuse("two names are %q but for case", strings.ToLower(name))
		}
		if !utf8.ValidString(value) {
			return usermeta.Refuse("the value of %q is not UTF-8", name)
		}
		h[header] = []string{usermeta.Encode(value)}
	}
	if !m.ModTime.IsZero() {
		header := http.CanonicalHeaderKey(metaPrefix + backend.ModTimeKey)
		if _, twice := h[header]; twice {
			return usermeta.Refuse("%q is given both as user metadata and as the modification time", backend.ModTimeKey)
		}
		h[header] = []string{backend.FormatModTime(m.ModTime)}
	}
	return nil
}

// getMetadata reads what setMetadata wrote, or another program.
func getMetadata(h http.Header) backend.Metadata {
	var m backend.Metadata
	for i, f := range usermeta.Fields(&m) {
		*f.Value = usermeta.UTF8(h.Get(headers[i]))
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
		value := usermeta.Decode(strings.Join(values, ","))
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

// headers are those of usermeta.Fields, in their order.
var headers = [5]string{"Content-Type", "Content-Encoding", "Content-Language", "Content-Disposition", "Cache-Control"}

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
