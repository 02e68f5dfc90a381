package local

import (
	"context"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/objrepl/replication/backend"
)

const (
	copyBuffer = 256 << 10
	// kernelStep is how much one kernel copy moves between two looks at the
	// context.
	kernelStep = 32 << 20
)

var copyBuffers = sync.Pool{New: func() any { b := make([]byte, copyBuffer); return &b }}

// copyBody writes the whole body to dst, where it is new and empty, and makes
// sure of its length.
func (s *store) copyBody(ctx context.Context, dst *os.File, body backend.Body) error {
	r, err := body.Open(0)
	if err != nil {
		return &bodyError{err}
	}
	defer r.Close()
	var n int64
	if lender, ok := r.(interface{ File() *os.File }); ok && lender.File() != nil {
		// The reader checks at its end that all bytes were of one version, so
		// it goes on from where the kernel left off.
		n, err = kernelCopy(ctx, dst, lender.File(), body.Size)
	} else if body.File != nil {
		n, err = s.copyFile(ctx, dst, body.File, body.Size)
		if err == nil && n == body.Size {
			return nil
		}
		if err == nil {
			return wrongLength(n, body.Size)
		}
	}
	if err != nil {
		return err
	}
	return s.copyReader(ctx, dst, r, n, body.Size)
}

// copyReader copies from r, n bytes of which are there already. It always
// reads up to io.EOF: only then is the body complete and of one version.
func (s *store) copyReader(ctx context.Context, dst *os.File, r io.Reader, n, size int64) error {
	buf := copyBuffers.Get().(*[]byte)
	defer copyBuffers.Put(buf)
	for idle := 0; ; {
		if err := ctx.Err(); err != nil {
			return err
		}
		got, err := r.Read(*buf)
		if size >= 0 && n+int64(got) > size {
			return wrongLength(n+int64(got), size)
		}
		if got > 0 {
			idle = 0
			put, err := s.hooks.write(dst, (*buf)[:got])
			n += int64(put)
			if err != nil {
				return err
			}
		}
		switch {
		case err == io.EOF:
			if size >= 0 && n != size {
				return wrongLength(n, size)
			}
			return nil
		case err != nil:
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return &bodyError{err}
		case got == 0:
			if idle++; idle > 100 {
				return &bodyError{io.ErrNoProgress}
			}
		}
	}
}

func wrongLength(n, size int64) error {
	how := "ended after"
	if n > size {
		how = "goes on after"
	}
	return &classified{class: backend.ErrChecksum, cause: fmt.Sprintf("the body %s %d of %d bytes", how, min(n, size), size)}
}

// kernelCopy has the kernel copy from the position of src, to share blocks or
// at least to save two copies through this process, as far as it can. What it
// leaves is for an ordinary copy.
func kernelCopy(ctx context.Context, dst, src *os.File, size int64) (n int64, err error) {
	for {
		if err := ctx.Err(); err != nil {
			return n, err
		}
		step := int64(kernelStep)
		if size >= 0 {
			step = min(step, size-n)
		}
		if step <= 0 {
			return n, nil
		}
		got, err := dst.ReadFrom(io.LimitReader(src, step))
		n += got
		if err != nil || got == 0 {
			return n, err
		}
	}
}

// copyFile copies a body's file, whose position is not ours to use, and makes
// sure that it did not change meanwhile.
func (s *store) copyFile(ctx context.Context, dst, src *os.File, size int64) (int64, error) {
	before, err := src.Stat()
	if err != nil {
		return 0, &bodyError{err}
	}
	if !before.Mode().IsRegular() || before.Size() != size {
		return before.Size(), nil
	}
	n, err := copyRange(ctx, dst, src, size)
	if err != nil {
		return n, err
	}
	if n < size {
		if _, err := dst.Seek(n, io.SeekStart); err != nil {
			return n, err
		}
		if err := s.copyReader(ctx, dst, io.NewSectionReader(src, n, size-n), n, size); err != nil {
			return n, err
		}
		n = size
	}
	after, err := src.Stat()
	if err != nil {
		return n, &bodyError{err}
	}
	if !versionOf(after, moment{}).same(versionOf(before, moment{})) {
		return n, &classified{class: backend.ErrChecksum, cause: "the file behind the body changed while it was copied"}
	}
	return n, nil
}
