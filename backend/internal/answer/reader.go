package answer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/objrepl/replication/backend"
)

// A Body is that of an answer to a GET, and what was asked for.
type Body struct {
	Body  io.ReadCloser
	Start int64 // the first byte of the object that the body has
	Size  int64 // of the whole object
	// Options are those of the call. A server may send more than they ask for.
	Options backend.OpenOptions
	// Sum, unless it is nil, has to come to Want over all bytes that were asked for.
	Sum  hash.Hash
	Want []byte
	// Fail makes the driver's own error of what goes wrong: what the body said,
	// io.ErrUnexpectedEOF where it ended early, or backend.ErrChecksum.
	Fail func(error) error
	// Closed is called when the body has been closed; nil for nothing.
	Closed func()
}

// NewReader returns the bytes that were asked for, or closes the body. The reader
// fails with backend.ErrChecksum in place of io.EOF. Its Close has no error where
// everything has arrived or was given up on purpose.
func NewReader(b Body) (io.ReadCloser, error) {
	first := min(b.Options.Offset, b.Size)
	r := &reader{Body: b, left: b.Size - first}
	if b.Options.Length > 0 {
		r.left = min(r.left, b.Options.Length)
	}
	var err error
	if b.Start > first {
		err = b.Fail(fmt.Errorf("%w: asked for bytes from %d on, got them from %d on", backend.ErrUnavailable, first, b.Start))
	} else if _, skip := io.CopyN(io.Discard, b.Body, first-b.Start); skip != nil {
		err = b.Fail(early(skip))
	}
	if err != nil {
		r.Close() // which can only fail for the same reason
		return nil, err
	}
	return r, nil
}

type reader struct {
	Body
	left int64 // bytes still to come
	err  error // sticky
}

func (r *reader) Read(p []byte) (int, error) {
	if r.err != nil {
		return 0, r.err
	}
	n, err := 0, error(nil)
	if r.left > 0 {
		n, err = r.Body.Body.Read(p[:min(int64(len(p)), r.left)])
		r.left -= int64(n)
		if r.Sum != nil {
			r.Sum.Write(p[:n])
		}
	}
	switch {
	case r.left == 0:
		// An error beside the last byte came after all that was asked for.
		r.err = r.verify()
	case err != nil:
		r.err = r.Fail(early(err))
	}
	return n, r.err
}

func (r *reader) verify() error {
	if r.Sum == nil {
		return io.EOF
	}
	if got := r.Sum.Sum(nil); !bytes.Equal(got, r.Want) {
		return r.Fail(fmt.Errorf("%w: the store says %x, the bytes that came have %x", backend.ErrChecksum, r.Want, got))
	}
	return io.EOF
}

func (r *reader) Close() error {
	err := r.Body.Body.Close()
	if r.Closed != nil {
		r.Closed()
	}
	if r.err == nil {
		r.err = errors.New("read after close")
	}
	if r.left == 0 || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return nil
	}
	return err
}

// early makes the end of a body that wants more an error.
func early(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// Broken classes the failure of a body half way, for those whose errors are the
// connection's. An ended context is the cause of whatever it looks like.
func Broken(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, backend.ErrChecksum), errors.Is(err, backend.ErrUnavailable):
		return err // of a reader itself; others are never asked: EPERM is fs.ErrPermission
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%w: %w", backend.ErrUnavailable, io.ErrUnexpectedEOF)
	}
	return Unanswered(err)
}
