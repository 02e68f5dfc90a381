package backend_test

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
)

func TestBytesOpensAtAnyOffsetSideBySide(t *testing.T) {
	body := backend.Bytes([]byte("0123456789"))
	assert.EqualValues(t, 10, body.Size)
	first, err := body.Open(0)
	require.NoError(t, err)
	head := make([]byte, 3)
	_, err = io.ReadFull(first, head)
	require.NoError(t, err)
	for offset, want := range map[int64]string{0: "0123456789", 7: "789", 10: ""} {
		r, err := body.Open(offset)
		require.NoError(t, err)
		got, err := io.ReadAll(r)
		require.NoError(t, err)
		assert.Equal(t, want, string(got))
		assert.NoError(t, r.Close())
	}
	rest, err := io.ReadAll(first)
	require.NoError(t, err)
	assert.Equal(t, "3456789", string(rest))
	for _, offset := range []int64{-1, 11} {
		_, err := body.Open(offset)
		assert.ErrorContains(t, err, "outside")
	}
}

func TestSeekerReadsLikeAnyReader(t *testing.T) {
	for _, size := range []int{0, 1, 5000} {
		want := bytes.Repeat([]byte("x"), size)
		s := backend.Bytes(want).Seeker()
		assert.NoError(t, iotest.TestReader(s, want), size)
		assert.NoError(t, s.Close())
	}
}

func TestSeekerSeeksByOpeningAnew(t *testing.T) {
	var opened, open int
	inner := backend.Bytes([]byte("0123456789"))
	body := backend.Body{Size: 10, Open: func(offset int64) (io.ReadCloser, error) {
		opened++
		open++
		r, err := inner.Open(offset)
		return closer{r, func() { open-- }}, err
	}}
	s := body.Seeker()
	assert.Zero(t, opened, "nothing is opened before the first read")
	size, err := s.Seek(0, io.SeekEnd)
	require.NoError(t, err)
	assert.EqualValues(t, 10, size)
	_, err = s.Seek(0, io.SeekStart)
	require.NoError(t, err)
	assert.Zero(t, opened, "asking for the size opens nothing")

	buf := make([]byte, 4)
	_, err = io.ReadFull(s, buf)
	require.NoError(t, err)
	at, err := s.Seek(0, io.SeekCurrent)
	require.NoError(t, err)
	assert.EqualValues(t, 4, at)
	assert.Equal(t, 1, open, "where it is already it reads on")
	_, err = s.Seek(-2, io.SeekEnd)
	require.NoError(t, err)
	assert.Zero(t, open)
	rest, err := io.ReadAll(s)
	require.NoError(t, err)
	assert.Equal(t, "89", string(rest))
	assert.Equal(t, 2, opened)
	assert.NoError(t, s.Close())
	assert.NoError(t, s.Close())
	assert.Zero(t, open)
	for _, to := range []int64{-1, 11} {
		_, err := s.Seek(to, io.SeekStart)
		assert.ErrorContains(t, err, "seek")
	}
}

func TestSeekerHoldsTheBodyToItsSize(t *testing.T) {
	for _, size := range []int64{0, 4, 6} {
		body := backend.Bytes([]byte("12345"))
		body.Size = size
		got, err := io.ReadAll(body.Seeker())
		assert.ErrorIs(t, err, backend.ErrChecksum, size)
		assert.LessOrEqual(t, int64(len(got)), max(size, 5))
	}
}

func TestSeekerPassesFailuresOn(t *testing.T) {
	broken := errors.New("broken")
	body := backend.Body{Size: 5, Open: func(int64) (io.ReadCloser, error) { return nil, broken }}
	_, err := io.ReadAll(body.Seeker())
	assert.ErrorIs(t, err, broken)
	body.Open = func(int64) (io.ReadCloser, error) { return io.NopCloser(iotest.ErrReader(broken)), nil }
	_, err = io.ReadAll(body.Seeker())
	assert.ErrorIs(t, err, broken)
	assert.NotErrorIs(t, err, backend.ErrChecksum, "a failure is no short body")
}

type closer struct {
	io.ReadCloser
	closed func()
}

func (c closer) Close() error {
	c.closed()
	return c.ReadCloser.Close()
}
