package replication

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/semaphore"
	"golang.org/x/time/rate"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/internal/ledger"
)

// maxBuffered is the largest object that is held in memory whole, so that a
// second attempt to write it need not read it again.
const maxBuffered = 256 << 10

// errSourceChanged: the source has another version than the one being copied.
var errSourceChanged = errors.New("source object changed while it was read")

// A sourceReader reads source objects for all workers of a pass.
type sourceReader struct {
	endpoint *endpoint
	memory   *semaphore.Weighted // bytes
	limit    *rate.Limiter       // bytes a second; nil for no bound
	moved    func(n int)         // told of bytes as they are read
	// kernelFrom is the least size of a file that the kernel copies; 0 for none.
	kernelFrom int64
}

// A version is one source version ready to be written: the fingerprint and the
// metadata come from the very answer that the bytes come with.
type version struct {
	object  backend.Object
	body    backend.Body
	release func()

	// mu guards the rest: an HTTP client may go on reading a body in a
	// goroutine of its own while the write has already returned.
	mu sync.Mutex
	// digest covers content and metadata once the body was read to its end;
	// nil before, and for sources without stamps.
	digest []byte
	// failure is why the body could not be read. Drivers wrap it, and not
	// always so that it can be told from a failure to write.
	failure error
	// first is the reader that came with the object, until it is used.
	first io.ReadCloser
}

func (v *version) setFailure(err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.failure = err
}

// readFailure returns why the body could not be read, nil if it could.
func (v *version) readFailure() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.failure
}

func (v *version) contentDigest() []byte {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.digest
}

func (v *version) takeFirst() io.ReadCloser {
	v.mu.Lock()
	defer v.mu.Unlock()
	r := v.first
	v.first = nil
	return r
}

// open starts on the current version of a key. The caller calls release.
func (s *sourceReader) open(ctx context.Context, key string) (*version, error) {
	object, reader, err := s.endpoint.Open(ctx, s.endpoint.key(key), backend.OpenOptions{})
	if err != nil {
		return nil, err
	}
	v := &version{object: object, release: func() {}}
	if object.Size > maxBuffered {
		v.stream(ctx, s, reader)
		return v, nil
	}
	defer reader.Close()
	if err := s.memory.Acquire(ctx, object.Size); err != nil {
		return nil, err
	}
	buffer, err := s.readAll(ctx, v, reader)
	if err != nil {
		s.memory.Release(object.Size)
		return nil, err
	}
	v.body = backend.Bytes(buffer)
	v.release = func() { s.memory.Release(object.Size) }
	return v, nil
}

// readAll reads a small version whole, through to io.EOF, which is where a
// store that cannot hold a version still says that it changed.
func (s *sourceReader) readAll(ctx context.Context, v *version, r io.Reader) ([]byte, error) {
	buffer := make([]byte, v.object.Size)
	r = s.wrap(ctx, v, r)
	if _, err := io.ReadFull(r, buffer); err != nil {
		return nil, shortened(err)
	}
	switch n, err := r.Read(make([]byte, 1)); {
	case n > 0:
		return nil, fmt.Errorf("body is longer than its %d bytes: %w", v.object.Size, errSourceChanged)
	case err != nil && err != io.EOF:
		return nil, err
	}
	return buffer, nil
}

// stream lets the body be read straight from the source: first from the reader
// that is open already, then, for another attempt, from the same version
// opened again.
func (v *version) stream(ctx context.Context, s *sourceReader, first io.ReadCloser) {
	v.first = first
	v.release = func() {
		if r := v.takeFirst(); r != nil {
			r.Close()
		}
	}
	v.body = backend.Body{Size: v.object.Size, Open: func(offset int64) (io.ReadCloser, error) {
		if offset == 0 {
			if r := v.takeFirst(); r != nil {
				if file, ok := s.lend(ctx, v, r); ok {
					return file, nil
				}
				return readCloser{s.wrap(ctx, v, r), r}, nil
			}
		}
		r, err := s.reopen(ctx, v, offset, 0)
		v.setFailure(err)
		if err != nil {
			return nil, err
		}
		if offset == 0 {
			return readCloser{s.wrap(ctx, v, r), r}, nil
		}
		return readCloser{s.throttle(ctx, v, r), r}, nil
	}}
}

// reopen opens the version again that v began with, or fails. A length of 0 is
// to the end.
func (s *sourceReader) reopen(ctx context.Context, v *version, offset, length int64) (io.ReadCloser, error) {
	object, r, err := s.endpoint.Open(ctx, v.object.Key, backend.OpenOptions{Offset: offset, Length: length, IfMatch: v.object.Tag})
	if err != nil {
		return nil, err
	}
	// A stamp that has settled meanwhile is the same one. What changed within
	// its granularity is for the next pass to find, which looks again since the
	// ledger keeps the stamp unsettled.
	if strings.TrimSuffix(object.Stamp, "~") != strings.TrimSuffix(v.object.Stamp, "~") {
		r.Close()
		return nil, errSourceChanged
	}
	return r, nil
}

type readCloser struct {
	io.Reader
	io.Closer
}

// wrap adds the digest to throttle, for a reader that begins at offset 0.
func (s *sourceReader) wrap(ctx context.Context, v *version, r io.Reader) io.Reader {
	r = s.throttle(ctx, v, r)
	if v.object.Stamp == "" {
		return r
	}
	return &digestReader{r: r, v: v, hash: sha256.New()}
}

func (s *sourceReader) throttle(ctx context.Context, v *version, r io.Reader) io.Reader {
	return &meteredReader{ctx: ctx, r: r, v: v, s: s}
}

// A meteredReader keeps the bandwidth, counts bytes and remembers a failure.
type meteredReader struct {
	ctx context.Context
	r   io.Reader
	v   *version
	s   *sourceReader
}

func (m *meteredReader) Read(p []byte) (int, error) {
	if m.s.limit != nil && len(p) > m.s.limit.Burst() {
		p = p[:m.s.limit.Burst()]
	}
	n, err := m.r.Read(p)
	if n > 0 {
		m.s.moved(n)
		if m.s.limit != nil {
			if waitErr := m.s.limit.WaitN(m.ctx, n); waitErr != nil {
				return n, waitErr
			}
		}
	}
	if err != nil && err != io.EOF {
		m.v.setFailure(err)
	}
	return n, err
}

// A digestReader leaves the digest in its version when it has seen all bytes.
type digestReader struct {
	r    io.Reader
	v    *version
	hash hash.Hash
	n    int64
	done bool
}

func (d *digestReader) Read(p []byte) (int, error) {
	n, err := d.r.Read(p)
	d.hash.Write(p[:n])
	d.n += int64(n)
	if d.n == d.v.object.Size && !d.done {
		d.done = true
		addMetadata(d.hash, d.v.object.Metadata)
		d.v.mu.Lock()
		defer d.v.mu.Unlock()
		d.v.digest = d.hash.Sum(nil)[:ledger.DigestSize]
	}
	return n, err
}

// addMetadata hashes what travels of the metadata, so that the digest of a
// file whose attributes alone changed is another.
func addMetadata(h hash.Hash, m *backend.Metadata) {
	t := travelling(m)
	fmt.Fprintf(h, "%q %q %q %q %q %q", t.ContentType, t.ContentEncoding, t.ContentLanguage,
		t.ContentDisposition, t.CacheControl, backend.FormatModTime(t.ModTime))
	for _, name := range slices.Sorted(maps.Keys(t.User)) {
		fmt.Fprintf(h, " %q=%q", name, t.User[name])
	}
}

// digest reads the current version of a key for its digest alone.
func (s *sourceReader) digest(ctx context.Context, key string) (*version, error) {
	object, reader, err := s.endpoint.Open(ctx, s.endpoint.key(key), backend.OpenOptions{})
	if err != nil {
		return nil, err
	}
	defer reader.Close()
	v := &version{object: object}
	if _, err := io.Copy(io.Discard, s.wrap(ctx, v, reader)); err != nil {
		return nil, shortened(err)
	}
	return v, nil
}

// changed reports whether err says that the source moved on while it was read,
// so that the current version is to be copied from the start. A body that ended
// early with its connection says nothing of the kind: drivers then call the
// store unavailable, and the same is tried again after a pause.
func changed(err error) bool {
	return errors.Is(err, errSourceChanged) || errors.Is(err, backend.ErrPrecondition) ||
		errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, backend.ErrUnavailable)
}

// absent reports whether err is a store's definite word that an object is not
// there.
func absent(err error) bool { return errors.Is(err, fs.ErrNotExist) }

// shortened makes an early end of a body an error of its own.
func shortened(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
