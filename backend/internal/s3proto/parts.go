package s3proto

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/internal/answer"
)

var _ backend.PartUploader = (*Store)(nil)

// Limits of multipart uploads
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html).
const (
	minPart  = 5 << 20
	maxPart  = 5 << 30
	maxParts = 10_000
)

// An upload is a multipart upload. It knows nothing but its name.
type upload struct {
	store   *Store
	key, id string
	size    int64 // of each part but the last
}

// UploadParts implements backend.PartUploader. Going on with an upload asks
// nothing.
//
// The checksum is asked for as one over the whole object, which the store
// makes of those of the parts, so that readers can hold the bytes against it
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html).
func (s *Store) UploadParts(ctx context.Context, key string, opts backend.PartsOptions) (backend.PartUpload, error) {
	const op = "upload"
	if err := s.properties.CheckKey(key); err != nil {
		return nil, s.refuse(op, key, err)
	}
	if opts.ID != "" {
		return &upload{s, key, opts.ID, opts.PartSize}, nil
	}
	if opts.PartSize < minPart || opts.PartSize > maxPart {
		return nil, s.refuse(op, key, fmt.Errorf("parts of %d bytes: %w", opts.PartSize, errors.ErrUnsupported))
	}
	header, err := s.writeHeader(backend.PutOptions{Metadata: opts.Metadata, ObjectTags: opts.ObjectTags, Class: opts.Class})
	if err != nil {
		return nil, s.refuse(op, key, err)
	}
	if !opts.Copied { // MinIO wants checksums of copied parts as well, but makes none
		header["X-Amz-Checksum-Algorithm"] = []string{"CRC32C"}
		header["X-Amz-Checksum-Type"] = []string{"FULL_OBJECT"}
	}
	res, f := s.send(ctx, &request{op: op, method: http.MethodPost, key: key, query: url.Values{"uploads": {""}}, header: header})
	if f != nil {
		f.blameClass(opts.Class)
		return nil, s.settle(ctx, f)
	}
	var answer struct {
		XMLName  xml.Name `xml:"InitiateMultipartUploadResult"`
		UploadID string   `xml:"UploadId"`
	}
	if err := s.document(ctx, op, key, res, &answer); err != nil {
		return nil, err
	}
	if answer.UploadID == "" {
		return nil, s.refuse(op, key, fmt.Errorf("%w: the answer has no upload id", backend.ErrUnavailable))
	}
	return &upload{s, key, answer.UploadID, opts.PartSize}, nil
}

// ID implements backend.PartUpload.
func (u *upload) ID() string { return u.id }

func (u *upload) query(more ...string) url.Values {
	q := url.Values{"uploadId": {u.id}}
	for i := 0; i < len(more); i += 2 {
		q.Set(more[i], more[i+1])
	}
	return q
}

// Put implements backend.PartUpload.
func (u *upload) Put(ctx context.Context, number int, body backend.Body) (backend.Part, error) {
	const op = "upload part"
	s := u.store
	if number < 1 || number > maxParts {
		return backend.Part{}, s.refuse(op, u.key, fmt.Errorf("part %d: %w", number, fs.ErrInvalid))
	}
	if body.Size > u.size {
		return backend.Part{}, s.refuse(op, u.key, fmt.Errorf("%w: part %d has %d bytes, more than %d", backend.ErrTooLarge, number, body.Size, u.size))
	}
	p, err := newPayload(ctx, body)
	if err != nil {
		return backend.Part{}, s.refuse(op, u.key, err)
	}
	defer p.close()
	header := make(http.Header, 8)
	r := &request{
		op: op, method: http.MethodPut, key: u.key, header: header, ask: p.size >= continueBody,
		query: u.query("partNumber", strconv.Itoa(number)),
	}
	s.load(r, p)
	res, f := s.send(ctx, r)
	if f != nil {
		if err := p.err(); err != nil && ctx.Err() == nil {
			return backend.Part{}, s.refuse(op, u.key, err)
		}
		return backend.Part{}, s.settle(ctx, f)
	}
	s.discard(res)
	part := backend.Part{Number: number, Size: p.size, Tag: tagOf(res.Header.Get("ETag")), Checksum: p.checksum}
	if p.data == nil {
		part.Checksum = p.streamChecksum()
	}
	if part.Tag == "" {
		return part, s.refuse(op, u.key, fmt.Errorf("%w: the answer has no ETag", backend.ErrUnavailable))
	}
	return part, nil
}

// Parts implements backend.PartUpload: one request for a thousand parts.
func (u *upload) Parts(ctx context.Context) ([]backend.Part, error) {
	const op = "list parts"
	var out []backend.Part
	for marker := 0; ; {
		res, f := u.store.send(ctx, &request{
			op: op, method: http.MethodGet, key: u.key,
			query: u.query("max-parts", "1000", "part-number-marker", strconv.Itoa(marker)),
		})
		if f != nil {
			return nil, u.store.settle(ctx, f)
		}
		var answer struct {
			XMLName     xml.Name `xml:"ListPartsResult"`
			IsTruncated *bool    `xml:"IsTruncated"`
			Part        []struct {
				PartNumber     int
				ETag           string
				Size           int64
				ChecksumCRC32C string
			}
		}
		if err := u.store.document(ctx, op, u.key, res, &answer); err != nil {
			return nil, err
		}
		for _, p := range answer.Part {
			if p.PartNumber <= marker || p.Size < 0 {
				return nil, u.store.refuse(op, u.key, fmt.Errorf("%w: the answer has part %d of %d bytes after part %d", backend.ErrUnavailable, p.PartNumber, p.Size, marker))
			}
			marker = p.PartNumber
			out = append(out, backend.Part{Number: p.PartNumber, Size: p.Size, Tag: tagOf(p.ETag), Checksum: p.ChecksumCRC32C})
		}
		switch {
		case answer.IsTruncated == nil:
			return nil, u.store.refuse(op, u.key, fmt.Errorf("%w: the answer does not say whether it is complete", backend.ErrUnavailable))
		case !*answer.IsTruncated:
			return out, nil
		case len(answer.Part) == 0:
			return nil, u.store.refuse(op, u.key, fmt.Errorf("%w: the answer has no part and says that there are more", backend.ErrUnavailable))
		}
	}
}

// Complete implements backend.PartUpload. S3 begins to answer before it is
// done, so that an error can come with status 200.
func (u *upload) Complete(ctx context.Context, parts []backend.Part, c backend.Condition) (backend.Object, error) {
	const op = "complete"
	s := u.store
	header, err := conditionHeader(c)
	if err != nil {
		return backend.Object{}, s.refuse(op, u.key, err)
	}
	data, size := completeDocument(parts)
	header["Content-Type"] = []string{"application/xml"}
	res, f := s.send(ctx, &request{
		op: op, method: http.MethodPost, key: u.key, query: u.query(), header: header,
		data: data, hash: sha256Hex(data),
	})
	if f != nil {
		return backend.Object{}, u.completeError(ctx, f, c)
	}
	document, err := s.readDocument(ctx, res)
	if err != nil {
		return backend.Object{}, s.refuse(op, u.key, err)
	}
	if code, message, _ := readError(document); code != "" {
		f := &fault{op: op, backend: s.config.Driver, key: u.key, status: http.StatusInternalServerError, header: res.Header, code: code, message: message}
		return backend.Object{}, u.completeError(ctx, f, c)
	}
	var answer struct {
		XMLName xml.Name `xml:"CompleteMultipartUploadResult"`
		ETag    string
	}
	if err := xml.Unmarshal(document, &answer); err != nil || answer.ETag == "" {
		return backend.Object{}, s.refuse(op, u.key, fmt.Errorf("%w: the answer does not say whether the upload is complete", backend.ErrUnavailable))
	}
	return backend.Object{Key: u.key, Size: size, Tag: tagOf(answer.ETag)}, s.checkAtRest(ctx, op, u.key, res.Header)
}

// completeError tells a missing upload from an object that a condition wants.
func (u *upload) completeError(ctx context.Context, f *fault, c backend.Condition) error {
	switch f.code {
	case "InvalidPart", "InvalidPartOrder", "EntityTooSmall":
		f.class = backend.ErrChecksum
	case "NoSuchKey":
		// S3's answer to If-Match where the object is absent.
		if c.Match != "" {
			f.class = backend.ErrPrecondition
		}
	}
	err := u.store.settle(ctx, f)
	var e *backend.Error
	if c.Absent && errors.Is(err, backend.ErrPrecondition) && errors.As(err, &e) {
		e.Err = fmt.Errorf("%w: %w", fs.ErrExist, e.Err)
	}
	return err
}

// Abort implements backend.PartUpload.
func (u *upload) Abort(ctx context.Context) error {
	res, f := u.store.send(ctx, &request{op: "abort", method: http.MethodDelete, key: u.key, query: u.query()})
	if f == nil {
		u.store.discard(res)
		return nil
	}
	if err := u.store.settle(ctx, f); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func conditionHeader(c backend.Condition) (http.Header, error) {
	h := make(http.Header, 16)
	switch {
	case c.Absent && c.Match != "":
		return nil, fmt.Errorf("%w: nothing is absent and a version at once", backend.ErrPrecondition)
	case c.Absent:
		h["If-None-Match"] = []string{"*"}
	case c.Match != "":
		h["If-Match"] = []string{etagOf(c.Match)}
	}
	return h, nil
}

// completeDocument names the parts, and adds up their sizes.
func completeDocument(parts []backend.Part) (data []byte, size int64) {
	type entry struct {
		PartNumber     int
		ETag           string
		ChecksumCRC32C string `xml:",omitempty"`
	}
	document := struct {
		XMLName xml.Name `xml:"http://s3.amazonaws.com/doc/2006-03-01/ CompleteMultipartUpload"`
		Part    []entry
	}{}
	for _, p := range parts {
		document.Part = append(document.Part, entry{p.Number, etagOf(p.Tag), p.Checksum})
		size += p.Size
	}
	data, err := xml.Marshal(document)
	if err != nil {
		panic(err) // numbers and strings
	}
	return data, size
}

// document reads an answer of a known form.
func (s *Store) document(ctx context.Context, op, key string, res *http.Response, into any) error {
	data, err := s.readDocument(ctx, res)
	if err != nil {
		return s.refuse(op, key, err)
	}
	if err := xml.NewDecoder(bytes.NewReader(data)).Decode(into); err != nil {
		return s.refuse(op, key, fmt.Errorf("%w: the answer is not what was asked for: %s", backend.ErrUnavailable, strings.ToValidUTF8(err.Error(), "")))
	}
	return nil
}

// readDocument reads an answer to its end; one that does not come to it may
// be of any outcome.
func (s *Store) readDocument(ctx context.Context, res *http.Response) ([]byte, error) {
	defer s.pool.Release()
	defer res.Body.Close()
	data, err := io.ReadAll(io.LimitReader(res.Body, maxPage+1))
	switch {
	case err != nil:
		return nil, answer.Broken(ctx, err)
	case len(data) > maxPage:
		return nil, fmt.Errorf("%w: the answer has more than %d bytes", backend.ErrUnavailable, maxPage)
	}
	return data, nil
}
