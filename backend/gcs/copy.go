package gcs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"cloud.google.com/go/storage"

	"github.com/objrepl/replication/backend"
)

var _ backend.Copier = (*Store)(nil)

// Copy implements backend.Copier by a rewrite: one request, and more of them
// for a large object whose bytes the store has to move, each going on where the
// one before has ended (https://cloud.google.com/storage/docs/json_api/v1/objects/rewrite).
func (s *Store) Copy(ctx context.Context, from, to string, opts backend.CopyOptions) (backend.Object, error) {
	const op = "copy"
	for _, key := range []string{from, to} {
		if err := checkKey(key); err != nil {
			return backend.Object{}, s.fail(ctx, op, from, err)
		}
	}
	if from == to {
		return backend.Object{}, s.fail(ctx, op, from, fmt.Errorf("copy onto itself: %w", errors.ErrUnsupported))
	}
	target, err := on(s.bucket.Object(to), opts.If)
	if err != nil {
		return backend.Object{}, s.fail(ctx, op, from, err)
	}
	source := s.bucket.Object(from)
	if opts.FromMatch != "" {
		generation, err := generationOf(opts.FromMatch)
		if err != nil {
			return backend.Object{}, s.fail(ctx, op, from, err)
		}
		// Named as well, so that all requests of one rewrite read the same; the
		// condition refuses it where it is there, but no longer the current one.
		source = source.Generation(generation).If(storage.Conditions{GenerationMatch: generation})
	}
	copier := target.CopierFrom(source)
	copier.DestinationKMSKeyName = s.kmsKey
	attrs, err := copier.Run(ctx)
	if err != nil {
		return backend.Object{}, s.copyError(ctx, from, err, opts)
	}
	return objectOf(attrs), nil
}

// copyError looks what a 404 to the copy of a generation means: there is no
// such object, or it has another one.
func (s *Store) copyError(ctx context.Context, from string, err error, opts backend.CopyOptions) error {
	const op = "copy"
	err = s.settle(ctx, op, from, err)
	if opts.FromMatch == "" || !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	attrs, err := s.attributes(ctx, op, from)
	if err != nil {
		return err
	}
	return s.fail(ctx, op, from, fmt.Errorf("%w: the object has generation %d", backend.ErrPrecondition, attrs.Generation))
}
