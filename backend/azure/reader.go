package azure

import (
	"bytes"
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/internal/answer"
	"github.com/objrepl/replication/backend/internal/pool"
)

// A reader yields the bytes that were asked for. It fails with
// io.ErrUnexpectedEOF, as a kind of backend.ErrUnavailable, where the body ends
// early, and with backend.ErrChecksum in place of io.EOF where the whole of an
// object was read and does not match the MD5 that the service keeps of it.
type reader struct {
	ctx  context.Context // bounds the reading; only asked whether it has ended
	key  string
	body io.ReadCloser
	pool *pool.Pool
	left int64     // bytes still to come
	sum  hash.Hash // nil where there is nothing to compare
	want []byte
	err  error // sticky
}

// expect has the bytes compared. Objects of blocks have an MD5 only if whoever
// committed them gave one.
func (r *reader) expect(sum []byte) {
	if len(sum) == md5.Size {
		r.sum, r.want = md5.New(), sum
	}
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
		n, err = r.body.Read(p)
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
		r.err = refuse("open", r.key, r.broken(err))
	}
	return n, r.err
}

func (r *reader) verify() error {
	if r.sum == nil {
		return io.EOF
	}
	if got := r.sum.Sum(nil); !bytes.Equal(got, r.want) {
		return refuse("open", r.key, fmt.Errorf("%w: the service says MD5 %x, the bytes that came have %x", backend.ErrChecksum, r.want, got))
	}
	return io.EOF
}

// broken classes the failure of a body half way.
func (r *reader) broken(err error) error {
	switch {
	case r.ctx.Err() != nil:
		return r.ctx.Err()
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%w: %w", backend.ErrUnavailable, io.ErrUnexpectedEOF)
	}
	return answer.Unanswered(err)
}

func (r *reader) Close() error {
	err := r.body.Close()
	r.pool.Release()
	if r.err == nil {
		r.err = errors.New("read after close")
	}
	if r.left == 0 || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return nil // everything has arrived, or was given up on purpose
	}
	return err
}
