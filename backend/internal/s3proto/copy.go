package s3proto

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/objrepl/replication/backend"
)

var _ backend.Copier = (*Store)(nil)

// maxCopy is the largest object that one request copies
// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html).
const maxCopy = 5 << 30

// Copy implements backend.Copier by one CopyObject request. S3 begins to answer
// before it is done, so that an error can come with status 200.
func (s *Store) Copy(ctx context.Context, from, to string, opts backend.CopyOptions) (backend.Object, error) {
	const op = "copy"
	header, err := s.copyHeader(from, to, opts)
	if err != nil {
		return backend.Object{}, s.refuse(op, from, err)
	}
	res, f := s.send(ctx, &request{op: op, method: http.MethodPut, key: to, header: header})
	if f != nil {
		f.key = from
		return backend.Object{}, s.copyError(ctx, f)
	}
	document, err := s.readDocument(ctx, res)
	if err != nil {
		return backend.Object{}, s.refuse(op, from, err)
	}
	if code, message, _ := readError(document); code != "" {
		return backend.Object{}, s.copyError(ctx, &fault{
			op: op, backend: s.config.Driver, key: from, header: res.Header, code: code, message: message,
			status: http.StatusInternalServerError,
		})
	}
	var answer struct {
		XMLName xml.Name `xml:"CopyObjectResult"`
		ETag    string
	}
	if err := xml.Unmarshal(document, &answer); err != nil || answer.ETag == "" {
		return backend.Object{}, s.refuse(op, from, fmt.Errorf("%w: the answer does not say whether the object is copied", backend.ErrUnavailable))
	}
	return backend.Object{Key: to, Tag: tagOf(answer.ETag)}, s.checkAtRest(ctx, op, to, res.Header)
}

// copyHeader returns what says which object is copied, or why it cannot be said.
// Metadata goes along by itself; the storage class and the encryption key do
// not.
func (s *Store) copyHeader(from, to string, opts backend.CopyOptions) (http.Header, error) {
	for _, key := range []string{from, to} {
		if err := s.properties.CheckKey(key); err != nil {
			return nil, err
		}
	}
	switch c := s.properties.Copy; {
	case from == to:
		return nil, fmt.Errorf("copy onto itself: %w", errors.ErrUnsupported)
	case s.config.Bucket == "":
		return nil, fmt.Errorf("copy in a bucket without a name: %w", errors.ErrUnsupported)
	case opts.If.Absent && !c.IfAbsent, opts.If.Match != "" && !c.IfMatch:
		return nil, fmt.Errorf("copy on a condition: %w", errors.ErrUnsupported)
	}
	h, err := s.writeHeader(backend.PutOptions{If: opts.If})
	if err != nil {
		return nil, err
	}
	delete(h, "Content-Type") // the source's
	source := s.config.Bucket + "/" + from
	if strings.HasPrefix(s.config.Bucket, "arn:") {
		source = s.config.Bucket + "/object/" + from // an access point
	}
	h["X-Amz-Copy-Source"] = []string{escapePath(source)}
	if opts.FromMatch != "" {
		h["X-Amz-Copy-Source-If-Match"] = []string{etagOf(opts.FromMatch)}
	}
	return h, nil
}

// copyError names what S3 calls an invalid request: the object is too large. A
// bare 404 does not say that it is the object that is missing.
func (s *Store) copyError(ctx context.Context, f *fault) error {
	if f.ambiguous() {
		f.class = backend.ErrUnavailable
	}
	if f.code == "InvalidRequest" && strings.Contains(f.message, "maximum allowable size") {
		f.class = backend.ErrTooLarge
	}
	return s.settle(ctx, f)
}
