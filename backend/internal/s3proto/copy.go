package s3proto

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"strconv"
	"strings"

	"github.com/objrepl/replication/backend"
)

var (
	_ backend.Copier      = (*Store)(nil)
	_ backend.CrossCopier = (*Store)(nil)
	_ backend.PartCopier  = copier{}
)

// maxCopy is the largest object that one request copies
// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html).
const maxCopy = 5 << 30

// A copier copies from one bucket of a service to another, or to itself. It is
// the one copied to that signs.
type copier struct{ from, to *Store }

// CopierFrom implements backend.CrossCopier, for any driver of this protocol. AWS
// is one service, whatever the regions.
func (s *Store) CopierFrom(source backend.Backend) backend.Copier {
	from, ok := backend.As[*Store](source)
	if !ok || from.config.Bucket == "" || s.config.Bucket == "" || from.service() != s.service() {
		return nil
	}
	return copier{from, s}
}

// service is the Location of a bucket without its name.
func (s *Store) service() string { return strings.TrimSuffix(s.config.Location, s.config.Bucket) }

// Copy implements backend.Copier.
func (s *Store) Copy(ctx context.Context, from, to string, opts backend.CopyOptions) (backend.Object, error) {
	return copier{s, s}.Copy(ctx, from, to, opts)
}

// Copy implements backend.Copier by one CopyObject request.
func (c copier) Copy(ctx context.Context, from, to string, opts backend.CopyOptions) (backend.Object, error) {
	const op = "copy"
	header, err := c.header(from, to, opts)
	if err != nil {
		return backend.Object{}, c.to.refuse(op, from, err)
	}
	answer, err := c.send(ctx, from, &request{op: op, method: http.MethodPut, key: to, header: header}, copyDocument)
	return backend.Object{Key: to, Tag: tagOf(answer.ETag)}, err
}

// copyDocument is the name of the answer to the copy of a whole object.
const copyDocument = "CopyObjectResult"

// A copyResult is the answer to a copy.
type copyResult struct {
	XMLName        xml.Name
	ETag           string
	ChecksumCRC32C string
}

// send asks for a copy. S3 begins to answer before it is done, so that an error
// can come with status 200.
func (c copier) send(ctx context.Context, from string, r *request, document string) (answer copyResult, err error) {
	res, f := c.to.send(ctx, r)
	if f != nil {
		f.key = from
		return answer, c.error(ctx, f)
	}
	data, err := c.to.readDocument(ctx, res)
	if err != nil {
		return answer, c.to.refuse(r.op, from, err)
	}
	if code, message, _ := readError(data); code != "" {
		return answer, c.error(ctx, &fault{
			op: r.op, backend: c.to.config.Driver, key: from, header: res.Header, code: code, message: message,
			status: http.StatusInternalServerError,
		})
	}
	if err := xml.Unmarshal(data, &answer); err != nil || answer.XMLName.Local != document || answer.ETag == "" {
		return copyResult{}, c.to.refuse(r.op, from, fmt.Errorf("%w: the answer does not say whether the object is copied", backend.ErrUnavailable))
	}
	if document == copyDocument {
		err = c.to.checkAtRest(ctx, r.op, r.key, res.Header)
	}
	return answer, err
}

// header returns what says which object is copied, or why it cannot be said.
// Metadata goes along by itself; the storage class and the encryption key do
// not.
func (c copier) header(from, to string, opts backend.CopyOptions) (http.Header, error) {
	for _, key := range []string{from, to} {
		if err := c.to.properties.CheckKey(key); err != nil {
			return nil, err
		}
	}
	s := c.to
	switch p := s.properties.Copy; {
	case from == to && c.from.config.Location == s.config.Location:
		return nil, fmt.Errorf("copy onto itself: %w", errors.ErrUnsupported)
	case s.config.Bucket == "":
		return nil, fmt.Errorf("copy in a bucket without a name: %w", errors.ErrUnsupported)
	case opts.FromStamp != "":
		return nil, fmt.Errorf("%w: objects have no stamps here", backend.ErrPrecondition)
	case opts.If.Absent && !p.IfAbsent, opts.If.Match != "" && !p.IfMatch:
		return nil, fmt.Errorf("copy on a condition: %w", errors.ErrUnsupported)
	}
	h, err := s.writeHeader(backend.PutOptions{If: opts.If})
	if err != nil {
		return nil, err
	}
	delete(h, "Content-Type") // the source's
	c.name(h, from, opts.FromMatch)
	return h, nil
}

// name says in a header which version is copied.
func (c copier) name(h http.Header, from string, match backend.Tag) {
	source := c.from.config.Bucket + "/" + from
	if strings.HasPrefix(c.from.config.Bucket, "arn:") {
		source = c.from.config.Bucket + "/object/" + from // an access point
	}
	h["X-Amz-Copy-Source"] = []string{escapePath(source)}
	if match != "" {
		h["X-Amz-Copy-Source-If-Match"] = []string{etagOf(match)}
	}
}

// CopyPart implements backend.PartCopier by UploadPartCopy.
func (c copier) CopyPart(ctx context.Context, from string, r backend.CopyRange, into backend.PartUpload, number int) (backend.Part, error) {
	const op = "copy part"
	none := func(err error) (backend.Part, error) { return backend.Part{}, c.to.refuse(op, from, err) }
	u, ok := backend.UploadAs[*upload](into)
	if !ok || u.store != c.to {
		return none(fmt.Errorf("the upload is not one of this store: %w", fs.ErrInvalid))
	}
	if err := c.from.properties.CheckKey(from); err != nil {
		return none(err)
	}
	if number < 1 || number > maxParts || r.Offset < 0 || r.Length < 1 || r.Length > u.size {
		return none(fmt.Errorf("part %d of %d bytes at %d: %w", number, r.Length, r.Offset, fs.ErrInvalid))
	}
	if r.Stamp != "" {
		return none(fmt.Errorf("%w: objects have no stamps here", backend.ErrPrecondition))
	}
	header := make(http.Header, 8)
	c.name(header, from, r.Match)
	header["X-Amz-Copy-Source-Range"] = []string{fmt.Sprintf("bytes=%d-%d", r.Offset, r.Offset+r.Length-1)}
	answer, err := c.send(ctx, from, &request{
		op: op, method: http.MethodPut, key: u.key, header: header,
		query: u.query("partNumber", strconv.Itoa(number)),
	}, "CopyPartResult")
	return backend.Part{Number: number, Size: r.Length, Tag: tagOf(answer.ETag), Checksum: answer.ChecksumCRC32C}, err
}

// error names what S3 calls an invalid request: the object is too large. A bare
// 404 does not say that it is the object that is missing; and of a part, whose
// upload may be what is missing, an absent object is another version.
func (c copier) error(ctx context.Context, f *fault) error {
	if f.ambiguous() {
		f.class = backend.ErrUnavailable
	}
	switch {
	case f.code == "InvalidRequest" && strings.Contains(f.message, "maximum allowable size"):
		f.class = backend.ErrTooLarge
	case f.code == "NoSuchKey" && f.op == "copy part":
		f.class = backend.ErrPrecondition
	}
	return c.to.settle(ctx, f)
}
