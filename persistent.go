package replication

import (
	"context"
	"errors"
	"io"
	"iter"

	"github.com/objrepl/replication/backend"
)

// A persistent backend makes calls again that failed in a way that may pass,
// for those who use a store without the care that a pass takes of its own two.
// A conditional write that is made again may meet its own first attempt; its
// caller has to recognise what it wrote. It exposes no capability.
type persistent struct {
	backend.Backend
	again retrier
}

// Stat implements backend.Backend.
func (p *persistent) Stat(ctx context.Context, key string) (o backend.Object, err error) {
	err = p.again.call(ctx, func() (err error) {
		o, err = p.Backend.Stat(ctx, key)
		return err
	})
	return o, err
}

// Open implements backend.Backend. Reading goes on in the same version where it
// broke off.
func (p *persistent) Open(ctx context.Context, key string, opts backend.OpenOptions) (o backend.Object, r io.ReadCloser, err error) {
	err = p.again.call(ctx, func() (err error) {
		o, r, err = p.Backend.Open(ctx, key, opts)
		return err
	})
	if err != nil {
		return o, nil, err
	}
	opts.IfMatch = o.Tag
	return o, &persistentReader{ReadCloser: r, at: opts, open: func(at backend.OpenOptions) (io.ReadCloser, error) {
		var r io.ReadCloser
		err := p.again.call(ctx, func() (err error) {
			_, r, err = p.Backend.Open(ctx, key, at)
			return err
		})
		return r, err
	}}, nil
}

// Put implements backend.Backend.
func (p *persistent) Put(ctx context.Context, key string, body backend.Body, opts backend.PutOptions) (o backend.Object, err error) {
	err = p.again.call(ctx, func() (err error) {
		o, err = p.Backend.Put(ctx, key, body, opts)
		return err
	})
	return o, err
}

// Delete implements backend.Backend.
func (p *persistent) Delete(ctx context.Context, key string, opts backend.DeleteOptions) error {
	return p.again.call(ctx, func() error { return p.Backend.Delete(ctx, key, opts) })
}

// List implements backend.Backend.
func (p *persistent) List(ctx context.Context, opts backend.ListOptions) iter.Seq2[[]backend.Object, error] {
	return func(yield func([]backend.Object, error) bool) {
		stopped := false
		err := p.again.do(ctx, func() (progress bool, err error) {
			for page, err := range p.Backend.List(ctx, opts) {
				if err != nil {
					return progress, err
				}
				if len(page) > 0 {
					opts.After, progress = page[len(page)-1].Key, true
				}
				if !yield(page, nil) {
					stopped = true
					return progress, nil
				}
			}
			return progress, nil
		})
		if err != nil && !stopped {
			yield(nil, err)
		}
	}
}

// persistentReader goes on where a connection broke, at most as often in a row
// as opening it is tried.
type persistentReader struct {
	io.ReadCloser
	at     backend.OpenOptions // of what is still to be read
	open   func(backend.OpenOptions) (io.ReadCloser, error)
	broken int // times without a byte in between
}

// maxBroken bounds the connections that give nothing.
const maxBroken = 5

// Read implements io.Reader.
func (r *persistentReader) Read(buf []byte) (int, error) {
	n, err := r.ReadCloser.Read(buf)
	if n > 0 {
		r.broken = 0
		r.at.Offset += int64(n)
		if r.at.Length > 0 {
			if r.at.Length -= int64(n); r.at.Length == 0 {
				return n, io.EOF // no length is to the end
			}
		}
	}
	if !brokeOff(err) || r.broken == maxBroken {
		return n, err
	}
	r.broken++
	next, openErr := r.open(r.at)
	if openErr != nil {
		return n, openErr
	}
	r.ReadCloser.Close()
	r.ReadCloser = next
	return n, nil
}

// brokeOff reports whether the bytes read so far are good and only the rest is
// missing. A checksum that does not match says otherwise.
func brokeOff(err error) bool {
	return errors.Is(err, io.ErrUnexpectedEOF) || backend.Retryable(err) && !errors.Is(err, backend.ErrChecksum)
}
