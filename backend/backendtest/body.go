package backendtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/objrepl/replication/backend"
)

// errBody is what a failing body fails with. It wraps no class, so that a
// driver cannot take it for its store's answer.
var errBody = errors.New("the body failed on purpose")

// wrongSize is a body that has these bytes and claims another size.
func wrongSize(data []byte, size int64) backend.Body {
	b := backend.Bytes(data)
	b.Size = size
	return b
}

// failing is a body whose reader fails after the first n bytes.
func failing(data []byte, n int) backend.Body {
	return backend.Body{
		Size: int64(len(data)),
		Open: func(offset int64) (io.ReadCloser, error) {
			if offset > int64(n) {
				return nil, errBody
			}
			return io.NopCloser(io.MultiReader(bytes.NewReader(data[offset:n]), failingReader{})), nil
		},
	}
}

type failingReader struct{}

func (failingReader) Read([]byte) (int, error) { return 0, errBody }

// counted is a body that counts readers opened and not yet closed.
type counted struct{ opened, open atomic.Int64 }

func (c *counted) body(data []byte) backend.Body {
	inner := backend.Bytes(data)
	return backend.Body{Size: inner.Size, Open: func(offset int64) (io.ReadCloser, error) {
		r, err := inner.Open(offset)
		if err != nil {
			return nil, err
		}
		c.opened.Add(1)
		c.open.Add(1)
		return &countedReader{ReadCloser: r, c: c}, nil
	}}
}

type countedReader struct {
	io.ReadCloser
	c      *counted
	closed atomic.Bool
}

func (r *countedReader) Close() error {
	if r.closed.CompareAndSwap(false, true) {
		r.c.open.Add(-1)
	}
	return r.ReadCloser.Close()
}

// stutter is a body that yields n bytes at once, calls reached, and then
// drips so slowly that it never comes to its end. It fails after released is
// done, so that a driver that does not notice its context still ends.
func stutter(released context.Context, data []byte, n int, reached func()) backend.Body {
	return backend.Body{
		Size: int64(len(data)),
		Open: func(offset int64) (io.ReadCloser, error) {
			if offset < 0 || offset > int64(len(data)) {
				return nil, fmt.Errorf("body offset %d is outside of %d bytes", offset, len(data))
			}
			return &stutterReader{released: released, data: data, offset: int(offset), n: n, reached: reached}, nil
		},
	}
}

type stutterReader struct {
	released  context.Context
	data      []byte
	offset, n int
	reached   func()
}

func (r *stutterReader) Read(p []byte) (int, error) {
	switch {
	case len(p) == 0:
		return 0, nil
	case r.offset < r.n:
		m := copy(p, r.data[r.offset:r.n])
		r.offset += m
		return m, nil
	case r.offset >= len(r.data)-1:
		// The last byte never comes: no driver can have seen the whole body.
		<-r.released.Done()
		return 0, errBody
	}
	r.reached()
	select {
	case <-r.released.Done():
		return 0, errBody
	case <-time.After(time.Millisecond):
	}
	r.offset += copy(p[:1], r.data[r.offset:])
	return 1, nil
}

func (r *stutterReader) Close() error { return nil }
