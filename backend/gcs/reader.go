package gcs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"strings"

	"cloud.google.com/go/storage"

	"github.com/objrepl/replication/backend"
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
	whole := left == attrs.Size
	r := &reader{left: left, fail: func(err error) error { return s.fail(ctx, "open", attrs.Name, err) }}
	if left == 0 {
		r.body = io.NopCloser(bytes.NewReader(nil))
		return r, nil
	}
	length := left
	if whole {
		length = -1
	}
	object := s.bucket.Object(attrs.Name).Generation(attrs.Generation)
	body, err := object.NewRangeReader(once(ctx), opts.Offset, length, storage.WithDisableReaderChecksum())
	if err != nil {
		return nil, err
	}
	r.body = body
	if whole {
		r.check, r.want = true, attrs.CRC32C
	}
	return r, nil
}

// A reader yields as many bytes as were asked for and, where they are the
// whole object, fails in place of io.EOF if they have not its checksum.
type reader struct {
	body  io.ReadCloser
	left  int64
	check bool
	sum   uint32
	want  uint32
	fail  func(error) error
	err   error // sticky
}

func (r *reader) Read(p []byte) (int, error) {
	if r.err != nil {
		return 0, r.err
	}
	n, err := 0, error(nil)
	if r.left > 0 {
		n, err = r.body.Read(p[:min(int64(len(p)), r.left)])
		r.left -= int64(n)
		r.sum = crc32.Update(r.sum, castagnoli, p[:n])
	}
	switch {
	case r.left == 0 && r.check && r.sum != r.want:
		r.err = r.fail(fmt.Errorf("%w: the store says CRC-32C %08x, the bytes that came have %08x", backend.ErrChecksum, r.want, r.sum))
	case r.left == 0:
		r.err = io.EOF // an error beside the last byte came after all that was asked for
	case errors.Is(err, io.EOF):
		r.err = r.fail(io.ErrUnexpectedEOF)
	case err != nil:
		r.err = r.fail(amidBody(err))
	}
	return n, r.err
}

func (r *reader) Close() error {
	if r.err == nil {
		r.err = errors.New("read after close")
	}
	if err := r.body.Close(); r.left == 0 {
		return err
	}
	return nil // given up on purpose, or failed already
}

// amidBody classes what the SDK makes of a body that breaks: what it has tried
// in its place, or that the rest is not what was asked for.
func amidBody(err error) error {
	if strings.HasPrefix(err.Error(), "storage: ") {
		return fmt.Errorf("%w: %s", backend.ErrUnavailable, err)
	}
	return err
}
