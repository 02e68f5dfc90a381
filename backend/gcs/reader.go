package gcs

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"net/http"
	"strings"

	"cloud.google.com/go/storage"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/internal/answer"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// openAttempts is how often an object may be overwritten between the request
// for its metadata and that for its bytes. Google holds writes of one object to
// about one a second (https://cloud.google.com/storage/quotas#objects), so that
// one attempt more suffices there; an emulator knows no such limit.
const openAttempts = 100

// Open implements backend.Backend by two requests. The headers beside the bytes
// are not the metadata (a Cache-Control is made up, names lose their case), so
// that the metadata is asked for first, and then the bytes of that generation.
// Nothing else than the metadata can change within one.
func (s *Store) Open(ctx context.Context, key string, opts backend.OpenOptions) (backend.Object, io.ReadCloser, error) {
	const op = "open"
	for range openAttempts {
		attrs, err := s.attributes(ctx, op, key)
		if err != nil {
			return backend.Object{}, nil, err
		}
		o, err := describedBy(attrs)
		if err != nil {
			return backend.Object{}, nil, s.fail(ctx, op, key, err)
		}
		if opts.IfMatch != "" && opts.IfMatch != o.Tag {
			return backend.Object{}, nil, s.fail(ctx, op, key, fmt.Errorf("%w: the object has generation %s", backend.ErrPrecondition, o.Tag))
		}
		r, err := s.read(ctx, attrs, opts)
		if err == nil {
			return o, r, nil
		}
		err = s.settle(ctx, op, key, err)
		if !errors.Is(err, fs.ErrNotExist) {
			return backend.Object{}, nil, err
		}
	}
	return backend.Object{}, nil, s.fail(ctx, op, key, fmt.Errorf("%w: the object is overwritten all the time", backend.ErrUnavailable))
}

// read asks for bytes of the very generation that attrs describe.
func (s *Store) read(ctx context.Context, attrs *storage.ObjectAttrs, opts backend.OpenOptions) (io.ReadCloser, error) {
	left := max(attrs.Size-opts.Offset, 0)
	if opts.Length > 0 {
		left = min(left, opts.Length)
	}
	body := answer.Body{
		Body: http.NoBody, Start: opts.Offset, Size: attrs.Size, Options: opts,
		Fail: func(err error) error { return s.fail(ctx, "open", attrs.Name, amidBody(err)) },
	}
	if left == 0 {
		body.Start = min(opts.Offset, attrs.Size)
		return answer.NewReader(body)
	}
	length := left
	if left == attrs.Size {
		length = -1
		body.Sum, body.Want = crc32.New(castagnoli), binary.BigEndian.AppendUint32(nil, attrs.CRC32C)
	}
	object := s.bucket.Object(attrs.Name).Generation(attrs.Generation)
	var err error
	if body.Body, err = object.NewRangeReader(once(ctx), opts.Offset, length, storage.WithDisableReaderChecksum()); err != nil {
		return nil, err
	}
	return answer.NewReader(body)
}

// amidBody classes what the SDK makes of a body that breaks: what it has tried
// in its place, or that the rest is not what was asked for.
func amidBody(err error) error {
	if strings.HasPrefix(err.Error(), "storage: ") {
		return fmt.Errorf("%w: %s", backend.ErrUnavailable, err)
	}
	return err
}
