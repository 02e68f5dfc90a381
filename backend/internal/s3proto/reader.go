package s3proto

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"net/http"
	"strings"

	"github.com/minio/crc64nvme"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/internal/answer"
	"github.com/objrepl/replication/backend/internal/pool"
)

// A readerSpec describes the body of an answer to a GET.
type readerSpec struct {
	ctx     context.Context // bounds the reading; only asked whether it has ended
	body    io.ReadCloser
	header  http.Header
	object  backend.Object
	start   int64 // the first byte that the body has
	options backend.OpenOptions
	pool    *pool.Pool
	// fail makes an error of the connection the driver's own.
	fail func(error) error
}

// newReader returns the bytes that the options asked for. It fails with
// io.ErrUnexpectedEOF, as a kind of backend.ErrUnavailable, where the body ends
// early, and with backend.ErrChecksum in place of io.EOF where the whole of an
// object was read and does not match the checksum that came with it.
//
// A server may ignore Range and send everything; then the rest is skipped.
func newReader(spec readerSpec) (io.ReadCloser, error) {
	o, size := spec.options, spec.object.Size
	first := min(o.Offset, size)
	left := size - first
	if o.Length > 0 {
		left = min(left, o.Length)
	}
	if spec.start > first {
		spec.body.Close()
		spec.pool.Release()
		return nil, spec.fail(fmt.Errorf("%w: asked for bytes from %d on, got them from %d on", backend.ErrUnavailable, first, spec.start))
	}
	r := &reader{spec: spec, left: left}
	if o.Offset == 0 && o.Length == 0 {
		r.sum, r.want = checksumOf(spec.header)
	}
	if skip := first - spec.start; skip > 0 {
		if _, err := io.CopyN(io.Discard, spec.body, skip); err != nil {
			r.Close()
			return nil, spec.fail(broken(spec.ctx, err))
		}
	}
	return r, nil
}

type reader struct {
	spec readerSpec
	left int64     // bytes still to come
	sum  hash.Hash // nil where there is nothing to compare
	want string
	err  error // sticky
}

func (r *reader) Read(p []byte) (int, error) {
	if r.err != nil {
		return 0, r.err
	}
	if int64(len(p)) > r.left {
		p = p[:r.left]
	}
	n, err := 0, error(nil)
	if r.left > 0 {
		n, err = r.spec.body.Read(p)
		r.left -= int64(n)
		if r.sum != nil {
			r.sum.Write(p[:n])
		}
	}
	switch {
	case r.left == 0:
		// An error beside the last byte came after all that was asked for.
		r.err = r.verify()
	case err != nil:
		r.err = r.spec.fail(broken(r.spec.ctx, err))
	}
	return n, r.err
}

func (r *reader) verify() error {
	if r.sum == nil {
		return io.EOF
	}
	if got := base64.StdEncoding.EncodeToString(r.sum.Sum(nil)); got != r.want {
		return r.spec.fail(fmt.Errorf("%w: the store says %s, the bytes that came have %s", backend.ErrChecksum, r.want, got))
	}
	return io.EOF
}

func (r *reader) Close() error {
	err := r.spec.body.Close()
	r.spec.pool.Release()
	if r.err == nil {
		r.err = errors.New("read after close")
	}
	if r.left == 0 {
		return nil // everything has arrived
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return nil // given up on purpose
	}
	return err
}

// broken classes the failure of a body half way. An ended context is the cause
// of whatever it looks like; anything else is the connection's fault.
func broken(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return unexpected(err)
	}
	return answer.Unanswered(err)
}

// unexpected makes the end of a body an early one.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: %w", backend.ErrUnavailable, err)
	}
	return err
}

// checksumOf picks the cheapest checksum that an answer carries of the whole
// object. One that ends in "-N" is made of the parts' checksums and says
// nothing about the bytes in a row.
func checksumOf(h http.Header) (hash.Hash, string) {
	if strings.EqualFold(h.Get("X-Amz-Checksum-Type"), "COMPOSITE") {
		return nil, ""
	}
	for _, c := range []struct {
		header string
		make   func() hash.Hash
	}{
		{"X-Amz-Checksum-Crc32c", func() hash.Hash { return crc32.New(castagnoli) }},
		{"X-Amz-Checksum-Crc32", func() hash.Hash { return crc32.NewIEEE() }},
		{"X-Amz-Checksum-Crc64nvme", func() hash.Hash { return crc64nvme.New() }},
	} {
		if want := h.Get(c.header); want != "" && !strings.Contains(want, "-") {
			return c.make(), want
		}
	}
	return nil, ""
}
