package azure

import (
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"net/http"
	"strconv"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/internal/answer"
)

// maxRestarts bounds the requests of an Open whose object changes between the
// two that a range beyond the end takes.
const maxRestarts = 3

// Open implements backend.Backend: one request. Where that finds no byte in the
// range (416), the answer does not describe the object, and a HEAD has to.
func (s *Store) Open(ctx context.Context, key string, opts backend.OpenOptions) (backend.Object, io.ReadCloser, error) {
	const op = "open"
	fail := func(err error) (backend.Object, io.ReadCloser, error) {
		return backend.Object{}, nil, refuse(op, key, err)
	}
	if err := checkKey(key); err != nil {
		return fail(err)
	}
	if opts.Offset < 0 || opts.Length < 0 {
		return fail(fmt.Errorf("offset %d, length %d: %w", opts.Offset, opts.Length, fs.ErrInvalid))
	}
	conditions, err := conditionsOf(backend.Condition{Match: opts.IfMatch})
	if err != nil {
		return fail(err)
	}
	count := opts.Length
	if count > math.MaxInt64-opts.Offset {
		count = 0
	}
	for range maxRestarts {
		res, err := s.blob(key).DownloadStream(ctx, &blob.DownloadStreamOptions{
			Range:            blob.HTTPRange{Offset: opts.Offset, Count: count},
			AccessConditions: conditions,
		})
		if err == nil {
			return s.reader(ctx, key, &res, opts)
		}
		var answer *azcore.ResponseError
		if !errors.As(err, &answer) || answer.StatusCode != http.StatusRequestedRangeNotSatisfiable {
			return backend.Object{}, nil, failed(ctx, op, key, err)
		}
		object, err := s.stat(ctx, op, key)
		if err != nil {
			return backend.Object{}, nil, err
		}
		if opts.IfMatch != "" && object.Tag != opts.IfMatch {
			return fail(backend.ErrPrecondition)
		}
		if opts.Offset >= object.Size {
			return object, http.NoBody, nil
		}
	}
	return fail(fmt.Errorf("%w: the object changed at every attempt", backend.ErrUnavailable))
}

func (s *Store) reader(ctx context.Context, key string, res *blob.DownloadStreamResponse, opts backend.OpenOptions) (backend.Object, io.ReadCloser, error) {
	o, start, err := openedObject(key, res)
	if err != nil {
		err = errors.Join(err, res.Body.Close())
		s.pool.Release()
		return o, nil, refuse("open", key, err)
	}
	body := answer.Body{
		Body: res.Body, Start: start, Size: o.Size, Options: opts, Closed: s.pool.Release,
		Fail: func(err error) error { return refuse("open", key, answer.Broken(ctx, err)) },
	}
	if opts.Offset == 0 && opts.Length == 0 && len(res.ContentMD5) == md5.Size {
		// Objects of blocks have one only if whoever committed them gave it.
		body.Sum, body.Want = md5.New(), res.ContentMD5
	}
	r, err := answer.NewReader(body)
	return o, r, err
}

// openedObject reads the headers of a GET. Start is the first byte of its body.
func openedObject(key string, res *blob.DownloadStreamResponse) (o backend.Object, start int64, err error) {
	o = backend.Object{Key: key, Size: -1, Tag: tagOf(res.ETag)}
	if span := res.ContentRange; span != nil {
		bounds, size, _ := strings.Cut(strings.TrimPrefix(*span, "bytes "), "/")
		from, _, _ := strings.Cut(bounds, "-")
		start, err = strconv.ParseInt(from, 10, 64)
		if err == nil {
			o.Size, err = strconv.ParseInt(size, 10, 64)
		}
		if err != nil {
			return o, 0, fmt.Errorf("%w: the answer's Content-Range is %.60q", backend.ErrUnavailable, *span)
		}
	} else if res.ContentLength != nil {
		o.Size = *res.ContentLength
	}
	if o.Size < 0 || o.Tag == "" {
		return o, 0, errIncomplete
	}
	if res.LastModified != nil {
		o.Modified = *res.LastModified
	}
	if res.TagCount != nil {
		o.ObjectTags = int(*res.TagCount)
	}
	m := getMetadata(res.Metadata, &stored{res.ContentType, res.ContentEncoding, res.ContentLanguage, res.ContentDisposition, res.CacheControl})
	o.Metadata = &m
	return o, start, nil
}
