package memory

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/internal/usermeta"
)

// Open implements backend.Backend. The reader keeps to the version it began
// with, whatever becomes of the object.
func (s *Store) Open(ctx context.Context, key string, opts backend.OpenOptions) (backend.Object, io.ReadCloser, error) {
	v, err := s.find(ctx, key)
	if err == nil {
		err = holds(backend.Condition{Match: opts.IfMatch}, v)
	}
	if err == nil && (opts.Offset < 0 || opts.Length < 0) {
		err = fmt.Errorf("range of %d bytes at %d", opts.Length, opts.Offset)
	}
	if err != nil {
		return backend.Object{}, nil, fail("open", key, err)
	}
	data := v.data[min(opts.Offset, int64(len(v.data))):]
	if opts.Length > 0 && opts.Length < int64(len(data)) {
		data = data[:opts.Length]
	}
	return v.describe(), &reader{ctx: ctx, key: key, data: bytes.NewReader(data)}, nil
}

// A reader carries the context of its Open because that bounds it.
type reader struct {
	ctx  context.Context
	key  string
	data *bytes.Reader
}

func (r *reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, fail("open", r.key, err)
	}
	return r.data.Read(p)
}

func (r *reader) Close() error { return nil }

// Put implements backend.Backend. The body is read before the store is locked,
// so a slow one holds up nobody.
func (s *Store) Put(ctx context.Context, key string, body backend.Body, opts backend.PutOptions) (backend.Object, error) {
	o, err := s.put(ctx, key, body, opts)
	if err != nil {
		return backend.Object{}, fail("put", key, err)
	}
	return o, nil
}

func (s *Store) put(ctx context.Context, key string, body backend.Body, opts backend.PutOptions) (backend.Object, error) {
	if err := s.accepts(ctx, key, body, opts); err != nil {
		return backend.Object{}, err
	}
	v, err := s.newVersion(key, opts.Metadata, opts.ObjectTags, opts.Class)
	if err != nil {
		return backend.Object{}, err
	}
	if v.data, err = s.read(ctx, body); err != nil {
		return backend.Object{}, err
	}
	v.object.Size = int64(len(v.data))
	return s.commit(ctx, opts.If, v)
}

// accepts reports why a Put can be refused before any byte is read.
func (s *Store) accepts(ctx context.Context, key string, body backend.Body, opts backend.PutOptions) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := s.check(key); err != nil {
		return err
	}
	p := &s.properties
	switch {
	case opts.If.Absent && !p.Put.IfAbsent, opts.If.Match != "" && !p.Put.IfMatch:
		return fmt.Errorf("put on a condition: %w", errors.ErrUnsupported)
	case body.Size < 0 && !p.UnknownSize:
		return fmt.Errorf("body of unknown size: %w", errors.ErrUnsupported)
	case p.MaxPut > 0 && body.Size > p.MaxPut:
		return fmt.Errorf("%w: %d bytes, at most %d", backend.ErrTooLarge, body.Size, p.MaxPut)
	}
	return nil
}

// normal returns the metadata as it is kept, sharing nothing with the caller's.
func (s *Store) normal(m backend.Metadata) (backend.Metadata, error) {
	if limit := s.properties.MaxMetadata; limit > 0 {
		if err := usermeta.CheckSize(m, limit); err != nil {
			return m, err
		}
	}
	kept := m.Clone()
	kept.ModTime = m.ModTime.Round(0) // a monotonic reading is no part of a stored time
	if m.User != nil {
		kept.User = make(map[string]string, len(m.User))
	}
	for name, value := range m.User {
		lower := strings.ToLower(name)
		if _, twice := kept.User[lower]; twice || lower == "" || lower == backend.ModTimeKey {
			return m, fmt.Errorf("%w: the name %q is empty, reserved or there twice", backend.ErrInvalidMetadata, lower)
		}
		kept.User[lower] = value
	}
	return kept, nil
}

// read takes in a whole body. The buffer grows with what arrives, so that a
// wrong Size does not allocate.
func (s *Store) read(ctx context.Context, body backend.Body) ([]byte, error) {
	r, err := body.Open(0)
	if err != nil {
		return nil, fmt.Errorf("open body: %w", err)
	}
	defer r.Close()
	limit, tooLong := body.Size, backend.ErrChecksum
	if limit < 0 && s.properties.MaxPut > 0 {
		limit, tooLong = s.properties.MaxPut, backend.ErrTooLarge
	}
	var in io.Reader = &bounded{ctx: ctx, from: r}
	if limit >= 0 {
		in = io.LimitReader(in, limit+1) // one byte more tells that there is more
	}
	var buf bytes.Buffer
	if _, err := buf.ReadFrom(in); err != nil {
		return nil, fmt.Errorf("read body: %w", err)
	}
	n := int64(buf.Len())
	switch {
	case limit >= 0 && n > limit:
		return nil, fmt.Errorf("%w: body is longer than %d bytes", tooLong, limit)
	case n < body.Size:
		return nil, fmt.Errorf("%w: body ended after %d of %d bytes", backend.ErrChecksum, n, body.Size)
	}
	return bytes.Clone(buf.Bytes()), nil // without the spare capacity
}

// bounded ends reading when a context does.
type bounded struct {
	ctx  context.Context
	from io.Reader
}

func (b *bounded) Read(p []byte) (int, error) {
	if err := b.ctx.Err(); err != nil {
		return 0, err
	}
	return b.from.Read(p)
}
