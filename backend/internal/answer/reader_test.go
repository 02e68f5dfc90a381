package answer

import (
	"bytes"
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
)

const object = "0123456789"

// closer counts how often a body is closed, and released.
type closer struct {
	io.Reader
	closed int
	err    error
}

func (c *closer) Close() error { c.closed++; return c.err }

func body(r io.Reader) (*closer, Body) {
	c := &closer{Reader: r}
	return c, Body{
		Body: c, Size: int64(len(object)), Closed: func() { c.closed += 10 },
		Fail: func(err error) error { return fmt.Errorf("failed: %w", Broken(context.Background(), err)) },
	}
}

func TestWhatWasAskedForIsRead(t *testing.T) {
	for _, c := range []struct {
		start, offset, length int64
		want                  string
	}{
		{0, 0, 0, object}, {0, 3, 0, object[3:]}, {3, 3, 0, object[3:]}, {0, 3, 4, object[3:7]},
		{3, 3, 100, object[3:]}, {2, 3, 1, "3"}, {10, 10, 0, ""}, {0, 10, 0, ""}, {0, 100, 0, ""},
	} {
		for _, wrap := range []func(io.Reader) io.Reader{
			func(r io.Reader) io.Reader { return r }, iotest.OneByteReader, iotest.DataErrReader,
		} {
			// A server may send more.
			closer, b := body(wrap(strings.NewReader(object[c.start:] + "more")))
			b.Start, b.Options = c.start, backend.OpenOptions{Offset: c.offset, Length: c.length}
			r, err := NewReader(b)
			require.NoError(t, err, c)
			got, err := io.ReadAll(r)
			require.NoError(t, err, c)
			require.Equal(t, c.want, string(got), c)
			require.NoError(t, r.Close())
			require.Equal(t, 11, closer.closed)
			_, err = r.Read(make([]byte, 1))
			require.Error(t, err)
		}
	}
}

func TestAnotherRangeIsNoBody(t *testing.T) {
	for _, start := range []int64{1, 9} {
		closer, b := body(strings.NewReader(object[start:]))
		b.Start = start
		_, err := NewReader(b)
		require.ErrorIs(t, err, backend.ErrUnavailable)
		require.Equal(t, 11, closer.closed)
	}
	closer, b := body(strings.NewReader("01"))
	b.Options.Offset = 5
	_, err := NewReader(b)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.Equal(t, 11, closer.closed)
}

func TestABodyThatEndsEarlyOrBreaksFails(t *testing.T) {
	for _, c := range []struct {
		body io.Reader
		want error
	}{
		{strings.NewReader(object[:9]), io.ErrUnexpectedEOF},
		{iotest.DataErrReader(strings.NewReader(object[:9])), io.ErrUnexpectedEOF},
		{io.MultiReader(strings.NewReader(object[:9]), iotest.ErrReader(io.ErrUnexpectedEOF)), io.ErrUnexpectedEOF},
		{io.MultiReader(strings.NewReader(object[:9]), iotest.ErrReader(syscall.ECONNRESET)), backend.ErrUnavailable},
		// No refusal by the store, whatever package fs takes it for.
		{io.MultiReader(strings.NewReader(object[:9]), iotest.ErrReader(syscall.EPERM)), backend.ErrUnavailable},
	} {
		_, b := body(c.body)
		r, err := NewReader(b)
		require.NoError(t, err)
		got, err := io.ReadAll(r)
		require.Equal(t, object[:9], string(got))
		require.ErrorIs(t, err, c.want)
		require.True(t, backend.Retryable(err))
		require.False(t, backend.Definite(err))
		_, again := r.Read(make([]byte, 1))
		require.Equal(t, err, again)
	}
}

func TestOtherBytesThanTheStoreSaysFailInPlaceOfTheEnd(t *testing.T) {
	for _, sent := range []string{object, "0123456780"} {
		_, b := body(strings.NewReader(sent))
		want := md5.Sum([]byte(object))
		b.Sum, b.Want = md5.New(), want[:]
		r, err := NewReader(b)
		require.NoError(t, err)
		got, err := io.ReadAll(r)
		require.Equal(t, sent, string(got))
		if sent == object {
			require.NoError(t, err)
			continue
		}
		require.ErrorIs(t, err, backend.ErrChecksum)
	}
}

// An error that comes with the last byte is of what was not asked for.
func TestAnErrorBehindTheLastByteIsNone(t *testing.T) {
	_, b := body(io.MultiReader(strings.NewReader(object), iotest.ErrReader(errors.New("reset"))))
	r, err := NewReader(b)
	require.NoError(t, err)
	got, err := io.ReadAll(r)
	require.NoError(t, err)
	require.Equal(t, object, string(got))
}

func TestAnEndedContextIsTheCause(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.Equal(t, context.Canceled, Broken(ctx, syscall.ECONNRESET))
}

func TestClosingEarlyIsNoErrorWhereItIsOnPurpose(t *testing.T) {
	for err, want := range map[error]error{context.Canceled: nil, context.DeadlineExceeded: nil, syscall.EIO: syscall.EIO} {
		closer, b := body(bytes.NewReader([]byte(object)))
		closer.err = err
		r, opened := NewReader(b)
		require.NoError(t, opened)
		require.Equal(t, want, r.Close())
	}
}
