package s3proto

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/objrepl/replication/backend"
)

// An ETag is a checksum as well, of no one kind: an MD5 of the bytes or of those
// of parts, or, of encrypted objects, what no other object has
// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_Object.html).

// tagOf is an ETag without its quotes.
func tagOf(etag string) backend.Tag { return backend.Tag(strings.Trim(strings.TrimSpace(etag), `"`)) }

// etagOf is a tag with its quotes, as If-Match wants it.
func etagOf(tag backend.Tag) string { return `"` + string(tag) + `"` }

// objectOf reads the headers of a HEAD or GET. Start is the first byte of the
// body that comes with them, 0 unless the answer is a range.
func objectOf(key string, status int, h http.Header) (o backend.Object, start int64, err error) {
	size := h.Get("Content-Length")
	if status == http.StatusPartialContent {
		var span string
		span, size, _ = strings.Cut(strings.TrimPrefix(h.Get("Content-Range"), "bytes "), "/")
		first, _, _ := strings.Cut(span, "-")
		if start, err = strconv.ParseInt(first, 10, 64); err != nil {
			return o, 0, fmt.Errorf("%w: the answer's Content-Range is %q", backend.ErrUnavailable, h.Get("Content-Range"))
		}
	}
	o = backend.Object{Key: key, Tag: tagOf(h.Get("ETag"))}
	if o.Size, err = strconv.ParseInt(size, 10, 64); err != nil || o.Size < 0 {
		return o, 0, fmt.Errorf("%w: the answer names no size", backend.ErrUnavailable)
	}
	if o.Tag == "" {
		return o, 0, fmt.Errorf("%w: the answer has no ETag", backend.ErrUnavailable)
	}
	o.Checksum = string(o.Tag)
	// Modified is a hint; a server that writes it in another form gives none.
	o.Modified, _ = http.ParseTime(h.Get("Last-Modified"))
	metadata := getMetadata(h)
	o.Metadata = &metadata
	besideOf(h, &o)
	return o, start, nil
}
