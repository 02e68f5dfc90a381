package s3proto

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"net/http"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/internal/answer"
)

// maxRestarts bounds the requests of an Open whose object changes between the
// two that a range beyond the end takes.
const maxRestarts = 3

// Open implements backend.Backend: one GET. Where that finds no byte in the
// range (416), the answer does not describe the object, and a HEAD has to.
func (s *Store) Open(ctx context.Context, key string, opts backend.OpenOptions) (backend.Object, io.ReadCloser, error) {
	fail := func(err error) (backend.Object, io.ReadCloser, error) {
		return backend.Object{}, nil, s.refuse("open", key, err)
	}
	if err := s.properties.CheckKey(key); err != nil {
		return fail(err)
	}
	if opts.Offset < 0 || opts.Length < 0 {
		return fail(fmt.Errorf("offset %d, length %d: %w", opts.Offset, opts.Length, fs.ErrInvalid))
	}
	for range maxRestarts {
		res, f := s.send(ctx, &request{op: "open", method: http.MethodGet, key: key, header: openHeader(opts)})
		if f == nil {
			return s.reader(ctx, key, res, opts)
		}
		if f.status != http.StatusRequestedRangeNotSatisfiable {
			return backend.Object{}, nil, s.settle(ctx, f)
		}
		object, err := s.head(ctx, "open", key)
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

func openHeader(opts backend.OpenOptions) http.Header {
	h := make(http.Header, 8)
	switch last := opts.Offset + opts.Length - 1; {
	case opts.Offset == 0 && opts.Length == 0:
		h["X-Amz-Checksum-Mode"] = []string{"ENABLED"}
	case opts.Length == 0 || last < opts.Offset: // to the end, or beyond 2^63
		h["Range"] = []string{fmt.Sprintf("bytes=%d-", opts.Offset)}
	default:
		h["Range"] = []string{fmt.Sprintf("bytes=%d-%d", opts.Offset, last)}
	}
	if opts.IfMatch != "" {
		h["If-Match"] = []string{etagOf(opts.IfMatch)}
	}
	return h
}

func (s *Store) reader(ctx context.Context, key string, res *http.Response, opts backend.OpenOptions) (backend.Object, io.ReadCloser, error) {
	object, start, err := objectOf(key, res.StatusCode, res.Header)
	if err != nil {
		res.Body.Close()
		s.pool.Release()
		return backend.Object{}, nil, s.refuse("open", key, err)
	}
	body := answer.Body{
		Body: res.Body, Start: start, Size: object.Size, Options: opts, Closed: s.pool.Release,
		Fail: func(err error) error { return s.refuse("open", key, answer.Broken(ctx, err)) },
	}
	if opts.Offset == 0 && opts.Length == 0 {
		body.Sum, body.Want = checksumOf(res.Header)
	}
	r, err := answer.NewReader(body)
	if err != nil {
		return backend.Object{}, nil, err
	}
	return object, r, nil
}
