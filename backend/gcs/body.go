package gcs

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/objrepl/replication/backend"
)

// blockSize is how much of a body is read at once.
const blockSize = 64 << 10

// A pumpError is why a body was not handed over: by its own fault or because
// the writer took no more.
type pumpError struct {
	err    error
	source bool
}

type block struct {
	data []byte
	err  error // io.EOF after the last one
}

// pump writes a whole body to w, and holds it to its size. It returns when ctx
// ends, even while the body blocks: that is closed then when it yields.
func pump(ctx context.Context, w io.Writer, body backend.Body) *pumpError {
	if err := ctx.Err(); err != nil {
		return &pumpError{err, true}
	}
	source, err := body.Open(0)
	if err != nil {
		return &pumpError{err, true}
	}
	reading, stop := context.WithCancel(ctx)
	defer stop()
	blocks := make(chan block)
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer source.Close()
		read(reading, source, blocks)
	}()
	for size := int64(0); ; {
		var b block
		select {
		case b = <-blocks:
		case <-ctx.Done():
			return &pumpError{ctx.Err(), true}
		}
		if b.err != nil {
			<-done // nothing blocks any more
		}
		size += int64(len(b.data))
		switch {
		case b.err != nil && !errors.Is(b.err, io.EOF):
			return &pumpError{b.err, true}
		case body.Size >= 0 && size > body.Size:
			return &pumpError{fmt.Errorf("body is longer than its %d bytes: %w", body.Size, backend.ErrChecksum), true}
		case b.err != nil && size < body.Size:
			return &pumpError{fmt.Errorf("body ended after %d of %d bytes: %w", size, body.Size, backend.ErrChecksum), true}
		}
		if len(b.data) > 0 {
			if _, err := w.Write(b.data); err != nil {
				return &pumpError{err, false}
			}
		}
		if b.err != nil {
			return nil
		}
	}
}

// read sends a source in blocks until it ends or ctx does. Two buffers take
// turns: one is read into while the other is written.
func read(ctx context.Context, source io.Reader, blocks chan<- block) {
	var buffers [2][]byte
	for i := 0; ; i = 1 - i {
		if buffers[i] == nil {
			buffers[i] = make([]byte, blockSize)
		}
		n, err := fill(source, buffers[i])
		select {
		case blocks <- block{buffers[i][:n], err}:
		case <-ctx.Done():
			return
		}
		if err != nil {
			return
		}
	}
}

// fill is io.ReadFull that tells the end of a source from one that says
// io.ErrUnexpectedEOF itself.
func fill(source io.Reader, p []byte) (n int, err error) {
	for empty := 0; n < len(p) && err == nil; {
		var m int
		m, err = source.Read(p[n:])
		n += m
		if empty++; m > 0 {
			empty = 0
		}
		if empty > 100 && err == nil {
			err = io.ErrNoProgress
		}
	}
	return n, err
}
