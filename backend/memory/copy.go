package memory

import (
	"context"
	"errors"
	"fmt"

	"github.com/objrepl/replication/backend"
)

var _ backend.Copier = (*Store)(nil)

// Copy implements backend.Copier. Versions are immutable, and so share their
// bytes.
func (s *Store) Copy(ctx context.Context, from, to string, opts backend.CopyOptions) (backend.Object, error) {
	o, err := s.copy(ctx, from, to, opts)
	if err != nil {
		return backend.Object{}, fail("copy", from, err)
	}
	return o, nil
}

func (s *Store) copy(ctx context.Context, from, to string, opts backend.CopyOptions) (backend.Object, error) {
	v, err := s.find(ctx, from)
	if err == nil {
		err = s.check(to)
	}
	if err == nil {
		err = holds(backend.Condition{Match: opts.FromMatch}, v)
	}
	if err != nil {
		return backend.Object{}, err
	}
	switch p := &s.properties; {
	case from == to:
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
