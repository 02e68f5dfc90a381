package memory

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/objrepl/replication/backend"
)

var (
	_ backend.Copier      = (*Store)(nil)
	_ backend.CrossCopier = (*Store)(nil)
	_ backend.PartCopier  = copier{}
)

// A copier copies from one store to another of the same service, or to itself.
type copier struct{ from, to *Store }

// CopierFrom implements backend.CrossCopier.
func (s *Store) CopierFrom(source backend.Backend) backend.Copier {
	from, ok := backend.As[*Store](source)
	if !ok || s.service == "" || from.service != s.service {
		return nil
	}
	return copier{from, s}
}

// Copy implements backend.Copier. Versions are immutable, and so share their
// bytes.
func (s *Store) Copy(ctx context.Context, from, to string, opts backend.CopyOptions) (backend.Object, error) {
	return copier{s, s}.Copy(ctx, from, to, opts)
}

// Copy implements backend.Copier.
func (c copier) Copy(ctx context.Context, from, to string, opts backend.CopyOptions) (backend.Object, error) {
	o, err := c.copy(ctx, from, to, opts)
	if err != nil {
		return backend.Object{}, fail("copy", from, err)
	}
	return o, nil
}

// CopyPart implements backend.PartCopier.
func (c copier) CopyPart(ctx context.Context, from string, r backend.CopyRange, u backend.PartUpload, number int) (backend.Part, error) {
	v, err := c.from.find(ctx, from)
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%w: the object is gone", backend.ErrPrecondition)
	}
	if err == nil {
		err = holds(backend.Condition{Match: r.Match}, v)
	}
	if err == nil && r.Stamp != "" {
		err = fmt.Errorf("%w: the object has no stamp", backend.ErrPrecondition)
	}
	if err == nil && (r.Offset < 0 || r.Length < 1 || r.Offset+r.Length > int64(len(v.data))) {
		err = fmt.Errorf("%w: %d bytes at %d", fs.ErrInvalid, r.Length, r.Offset)
	}
	if err != nil {
		return backend.Part{}, fail("copy part", from, err)
	}
	return u.Put(ctx, number, backend.Bytes(v.data[r.Offset:][:r.Length]))
}

func (c copier) copy(ctx context.Context, from, to string, opts backend.CopyOptions) (backend.Object, error) {
	s := c.to
	v, err := c.from.find(ctx, from)
	if err == nil {
		err = s.check(to)
	}
	if err == nil {
		err = holds(backend.Condition{Match: opts.FromMatch}, v)
	}
	if err == nil && opts.FromStamp != v.object.Stamp && opts.FromStamp != "" {
		err = fmt.Errorf("%w: the object has no stamp %q", backend.ErrPrecondition, opts.FromStamp)
	}
	if err != nil {
		return backend.Object{}, err
	}
	switch p := &s.properties; {
	case c.from == s && from == to:
		return backend.Object{}, fmt.Errorf("copy onto itself: %w", errors.ErrUnsupported)
	case opts.If.Absent && !p.Copy.IfAbsent, opts.If.Match != "" && !p.Copy.IfMatch:
		return backend.Object{}, fmt.Errorf("copy on a condition: %w", errors.ErrUnsupported)
	case p.MaxCopy > 0 && v.object.Size > p.MaxCopy:
		return backend.Object{}, fmt.Errorf("%w: %d bytes, at most %d", backend.ErrTooLarge, v.object.Size, p.MaxCopy)
	}
	return s.commit(ctx, opts.If, &version{
		object:   backend.Object{Key: to, Size: v.object.Size},
		metadata: v.metadata,
		data:     v.data,
	})
}
