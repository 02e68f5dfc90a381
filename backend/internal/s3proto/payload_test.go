package s3proto

import (
	"bytes"
	"context"
	"errors"
	"hash/crc32"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
)

// source is a body whose reader counts how often it was closed.
type source struct {
	io.Reader
	closed *atomic.Int32
}

func (s source) Close() error { s.closed.Add(1); return nil }

func bodyOf(size int64, r io.Reader) (backend.Body, *atomic.Int32) {
	closed := new(atomic.Int32)
	return backend.Body{Size: size, Open: func(int64) (io.ReadCloser, error) { return source{r, closed}, nil }}, closed
}

var sizes = map[string]int64{"empty": 0, "one byte": 1, "small": 1000, "the border": smallBody, "large": smallBody + 1, "larger": 1 << 20}

func TestBodyOfTheRightLengthPasses(t *testing.T) {
	for name, size := range sizes {
		data := bytes.Repeat([]byte("0123456789"), int(size)/10+1)[:size]
		for how, wrap := range map[string]func(io.Reader) io.Reader{
			"plain":         func(r io.Reader) io.Reader { return r },
			"EOF with data": iotest.DataErrReader,
			"halves":        iotest.HalfReader,
		} {
			body, closed := bodyOf(size, wrap(bytes.NewReader(data)))
			p, err := newPayload(t.Context(), body)
			require.NoError(t, err, name, how)
			sum := checksumText(crc32.Checksum(data, castagnoli))
			if size <= smallBody {
				require.Equal(t, data, p.data)
				require.Equal(t, sum, p.checksum)
			} else {
				require.Nil(t, p.data)
				got, err := io.ReadAll(p.stream)
				require.NoError(t, err)
				require.True(t, bytes.Equal(data, got))
				require.Equal(t, sum, p.streamChecksum())
				require.NoError(t, p.err())
			}
			p.close()
			p.close()
			require.EqualValues(t, 1, closed.Load(), "%s, %s", name, how)
		}
	}
}

// A server that has as many bytes as it was promised commits them, so the last
// one must not leave before the end of the body was seen.
func TestBodyOfTheWrongLengthIsNeverSentWhole(t *testing.T) {
	for name, size := range sizes {
		for how, off := range map[string]int64{"shorter": -1, "longer": 1, "much longer": 1 << 20} {
			if size+off < 0 {
				continue
			}
			body, closed := bodyOf(size, io.LimitReader(endless{}, size+off))
			p, err := newPayload(t.Context(), body)
			if size > smallBody {
				require.NoError(t, err)
				var n int64
				n, err = io.Copy(io.Discard, p.stream)
				require.Less(t, n, size, "%s, %s", name, how)
				require.ErrorIs(t, p.err(), backend.ErrChecksum)
				p.close()
			}
			require.ErrorIs(t, err, backend.ErrChecksum, "%s, %s", name, how)
			require.EqualValues(t, 1, closed.Load(), "%s, %s", name, how)
		}
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

func TestErrorOfTheBodyIsKept(t *testing.T) {
	broken := errors.New("disk on fire")
	for name, size := range sizes {
		body, closed := bodyOf(size, io.MultiReader(io.LimitReader(endless{}, size/2), iotest.ErrReader(broken)))
		p, err := newPayload(t.Context(), body)
		if size > smallBody {
			require.NoError(t, err)
			_, err = io.Copy(io.Discard, p.stream)
			require.Equal(t, broken, p.err())
			p.close()
		}
		require.ErrorIs(t, err, broken, name)
		require.EqualValues(t, 1, closed.Load(), name)
	}
}

func TestBodyThatHangsEndsWithItsContext(t *testing.T) {
	hang := make(chan struct{})
	body, closed := bodyOf(10, readerFunc(func([]byte) (int, error) { <-hang; return 0, io.EOF }))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := newPayload(ctx, body)
	require.ErrorIs(t, err, context.Canceled)
	close(hang)
	require.Eventually(t, func() bool { return closed.Load() == 1 }, 5e9, 1e6)
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// A transport may be reading while its request has ended already.
func TestCloseWaitsForARead(t *testing.T) {
	reading, proceed := make(chan struct{}), make(chan struct{})
	body, closed := bodyOf(smallBody+1, readerFunc(func(p []byte) (int, error) {
		close(reading)
		<-proceed
		return len(p), nil
	}))
	p, err := newPayload(t.Context(), body)
	require.NoError(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = p.stream.Read(make([]byte, 10))
	}()
	<-reading
	p.close()
	require.Zero(t, closed.Load())
	close(proceed)
	<-done
	require.EqualValues(t, 1, closed.Load())
	_, err = p.stream.Read(make([]byte, 10))
	require.Error(t, err)
}

func TestSizesThatOnePutDoesNotTake(t *testing.T) {
	_, err := newPayload(t.Context(), backend.Body{Size: -1})
	require.ErrorIs(t, err, errors.ErrUnsupported)
	_, err = newPayload(t.Context(), backend.Body{Size: MaxPut + 1})
	require.ErrorIs(t, err, backend.ErrTooLarge)
}

func TestChunkedBodyHasTheLengthItSays(t *testing.T) {
	for _, size := range []int64{smallBody + 1, chunkSize - 1, chunkSize, chunkSize + 1, 4 * chunkSize, 5*chunkSize + 17} {
		data := strings.Repeat("x", int(size))
		body, _ := bodyOf(size, strings.NewReader(data))
		p, err := newPayload(t.Context(), body)
		require.NoError(t, err)
		h := http.Header{"Content-Encoding": {"gzip"}}
		r, length := newChunked(p, h)
		got, err := io.ReadAll(iotest.OneByteReader(r))
		require.NoError(t, err)
		require.EqualValues(t, len(got), length)

		rest, decoded := string(got), ""
		for {
			line, after, _ := strings.Cut(rest, "\r\n")
			n, err := strconv.ParseInt(line, 16, 64)
			require.NoError(t, err)
			if rest = after; n == 0 {
				break
			}
			require.LessOrEqual(t, n, int64(chunkSize))
			decoded += rest[:n]
			require.Equal(t, "\r\n", rest[n:n+2])
			rest = rest[n+2:]
		}
		require.Equal(t, data, decoded)
		require.Equal(t, "x-amz-checksum-crc32c:"+checksumText(crc32.Checksum([]byte(data), castagnoli))+"\r\n\r\n", rest)
		require.Equal(t, "aws-chunked,gzip", h.Get("Content-Encoding"))
		require.Equal(t, strconv.FormatInt(size, 10), h.Get("X-Amz-Decoded-Content-Length"))
	}
}

func TestChunkedBodyPassesFailuresOn(t *testing.T) {
	body, _ := bodyOf(chunkSize*2, io.LimitReader(endless{}, chunkSize+5))
	p, err := newPayload(t.Context(), body)
	require.NoError(t, err)
	r, length := newChunked(p, http.Header{})
	n, err := io.Copy(io.Discard, r)
	require.ErrorIs(t, err, backend.ErrChecksum)
	require.Less(t, n, length)
}
