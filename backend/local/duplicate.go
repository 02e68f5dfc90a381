package local

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/objrepl/replication/backend"
)

// Copy implements backend.Copier: it is a Put of what the other key has, whose
// bytes the kernel moves, and shares where the file system can. A hard link
// would save them altogether, but not be a copy: whoever writes to the file
// under one name changes what the other shows.
func (s *store) Copy(ctx context.Context, from, to string, opts backend.CopyOptions) (backend.Object, error) {
	o, err := s.duplicate(ctx, from, to, opts)
	if err != nil {
		return backend.Object{}, s.fail("copy", from, err)
	}
	return o, nil
}

func (s *store) duplicate(ctx context.Context, from, to string, opts backend.CopyOptions) (backend.Object, error) {
	if from == to {
		return backend.Object{}, fmt.Errorf("copy onto itself: %w", errors.ErrUnsupported)
	}
	o, r, err := s.open(ctx, from, backend.OpenOptions{IfMatch: opts.FromMatch})
	if err != nil {
		return backend.Object{}, err
	}
	defer r.Close()
	if opts.FromStamp != "" && opts.FromStamp != o.Stamp {
		return backend.Object{}, precondition("the object has another stamp")
	}
	first := r
	body := backend.Body{Size: o.Size, Open: func(int64) (io.ReadCloser, error) {
		if first != nil {
			r := first
			first = nil
			return r, nil
		}
		// Another attempt, from the beginning, of the same version.
		_, r, err := s.open(ctx, from, backend.OpenOptions{IfMatch: o.Tag})
		return r, err
	}}
	return s.put(ctx, to, body, backend.PutOptions{Metadata: *o.Metadata, If: opts.If})
}
