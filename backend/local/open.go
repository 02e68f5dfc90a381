package local

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/objrepl/replication/backend"
)

// Open implements backend.Backend. A reader of a whole object also has the
// method File() *os.File: whoever copies from that file with its position, and
// reads the reader to io.EOF afterwards, lets the kernel move the bytes and
// still learns whether they were of one version.
func (s *store) Open(ctx context.Context, key string, opts backend.OpenOptions) (backend.Object, io.ReadCloser, error) {
	o, r, err := s.open(ctx, key, opts)
	if err != nil {
		return backend.Object{}, nil, s.fail("open", key, err)
	}
	return o, r, nil
}

func (s *store) open(ctx context.Context, key string, opts backend.OpenOptions) (backend.Object, io.ReadCloser, error) {
	var none backend.Object
	if err := ctx.Err(); err != nil {
		return none, nil, err
	}
	if err := s.checkKey(key); err != nil {
		return none, nil, err
	}
	if opts.Offset < 0 || opts.Length < 0 {
		return none, nil, fmt.Errorf("range of %d bytes at %d is negative", opts.Length, opts.Offset)
	}
	h, err := s.acquire(false)
	if err != nil {
		return none, nil, err
	}
	defer h.release()
	f, v, err := s.openObject(h, key)
	if err != nil {
		return none, nil, err
	}
	o, err := s.describe(h, key, f, v)
	if err == nil && opts.IfMatch != "" && opts.IfMatch != o.Tag {
		err = precondition("the object is version %s", o.Tag)
	}
	start := min(opts.Offset, v.size)
	if err == nil && start > 0 {
		_, err = f.Seek(start, io.SeekStart)
	}
	if err != nil {
		f.Close()
		return none, nil, err
	}
	end := v.size
	if opts.Length > 0 && opts.Length < end-start {
		end = start + opts.Length
	}
	r := &reader{
		file: f, version: v, at: start, end: end, cancelled: ctx.Err,
		fail: func(err error) error { return s.fail("open", key, err) },
	}
	if start == 0 && end == v.size {
		return o, &wholeReader{reader: r}, nil
	}
	return o, r, nil
}

// A reader yields bytes [at, end) of one version of a file, and io.EOF only if
// the file still is that version then. It is for one goroutine.
type reader struct {
	file      *os.File
	version   version
	at, end   int64
	cancelled func() error
	fail      func(error) error
	done      error // what Read says from now on
}

func (r *reader) Read(p []byte) (int, error) {
	if r.done != nil {
		return 0, r.done
	}
	if err := r.cancelled(); err != nil {
		r.done = r.fail(err)
		return 0, r.done
	}
	if r.at >= r.end {
		r.done = r.finish()
		return 0, r.done
	}
	if len(p) == 0 {
		return 0, nil
	}
	n, err := r.file.Read(p[:min(int64(len(p)), r.end-r.at)])
	r.at += int64(n)
	if err == nil || n > 0 {
		return n, nil
	}
	if err == io.EOF {
		err = r.finish()
	} else {
		err = r.fail(err)
	}
	r.done = err
	return 0, err
}

// finish decides how the reading ended. Whoever replaces the file leaves this
// one open to us but moves its status change time, which reads as a change
// too: rarely needed, never wrong.
func (r *reader) finish() error {
	info, err := r.file.Stat()
	if err != nil {
		return r.fail(err)
	}
	if v := versionOf(info, moment{}); !v.same(r.version) {
		if r.at < r.end {
			return r.fail(fmt.Errorf("file ended after %d of %d bytes: %w", r.at, r.end,
				&ended{precondition("the file shrank while it was read")}))
		}
		return r.fail(precondition("the file changed while it was read"))
	}
	if r.at < r.end {
		return r.fail(&ended{fmt.Errorf("file ended after %d of %d bytes", r.at, r.end)})
	}
	return io.EOF
}

// ended is an early end, whatever else it is.
type ended struct{ err error }

func (e *ended) Error() string   { return e.err.Error() }
func (e *ended) Unwrap() []error { return []error{e.err, io.ErrUnexpectedEOF} }

func (r *reader) Close() error { return r.file.Close() }

// A wholeReader lets its file out of its hands, and so no longer knows how far
// it was read.
type wholeReader struct {
	*reader
	lent bool
}

// File returns the file behind the reader, for kernel copies from its position.
func (r *wholeReader) File() *os.File {
	r.lent = true
	return r.file
}

func (r *wholeReader) Read(p []byte) (int, error) {
	if r.lent && r.done == nil {
		at, err := r.file.Seek(0, io.SeekCurrent)
		if err != nil {
			r.done = r.fail(err)
			return 0, r.done
		}
		r.at = at
	}
	return r.reader.Read(p)
}
