package gcs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"cloud.google.com/go/storage"

	"github.com/objrepl/replication/backend"
)

var (
	_ backend.Copier      = (*Store)(nil)
	_ backend.CrossCopier = (*Store)(nil)
)

// A copier copies from one bucket to another, or to itself. It is the credentials
// of the one copied to that read as well.
type copier struct{ from, to *Store }

// CopierFrom implements backend.CrossCopier. A rewrite that gives an object a class
// has to give it all its metadata as well, so that a store with one of its own has
// objects written.
func (s *Store) CopierFrom(source backend.Backend) backend.Copier {
	from, ok := backend.As[*Store](source)
	if !ok || from.service() != s.service() || s.class != "" {
		return nil
	}
	return copier{from, s}
}

// service is the Location of a bucket without its name.
func (s *Store) service() string {
	return strings.TrimSuffix(s.properties.Location, s.bucket.BucketName())
}

// Copy implements backend.Copier.
func (s *Store) Copy(ctx context.Context, from, to string, opts backend.CopyOptions) (backend.Object, error) {
	return copier{s, s}.Copy(ctx, from, to, opts)
}

// Copy implements backend.Copier by a rewrite: one request, and more of them
// for a large object whose bytes the store has to move, each going on where the
// one before has ended (https://cloud.google.com/storage/docs/json_api/v1/objects/rewrite).
func (c copier) Copy(ctx context.Context, from, to string, opts backend.CopyOptions) (backend.Object, error) {
	const op = "copy"
	s := c.to
	for _, key := range []string{from, to} {
		if err := checkKey(key); err != nil {
			return backend.Object{}, s.fail(ctx, op, from, err)
		}
	}
	if from == to && c.from.properties.Location == s.properties.Location {
		return backend.Object{}, s.fail(ctx, op, from, fmt.Errorf("copy onto itself: %w", errors.ErrUnsupported))
	}
	target, err := on(s.bucket.Object(to), opts.If)
	if err != nil {
		return backend.Object{}, s.fail(ctx, op, from, err)
	}
	source, err := c.source(from, opts)
	if err != nil {
		return backend.Object{}, s.fail(ctx, op, from, err)
	}
	copier := target.CopierFrom(source)
	copier.DestinationKMSKeyName = s.kmsKey
	attrs, err := copier.Run(ctx)
	if err != nil {
		return backend.Object{}, c.error(ctx, from, err, opts)
	}
	return objectOf(attrs), nil
}

// source names the version to copy: its generation in the request as well, so that
// all requests of one rewrite read the same; the condition refuses it where it is
// there, but no longer the current one.
func (c copier) source(from string, opts backend.CopyOptions) (*storage.ObjectHandle, error) {
	source := c.from.bucket.Object(from)
	var conditions storage.Conditions
	if opts.FromMatch != "" {
		generation, err := generationOf(opts.FromMatch)
		if err != nil {
			return nil, err
		}
		source, conditions.GenerationMatch = source.Generation(generation), generation
	}
	if opts.FromStamp != "" {
		n, err := strconv.ParseInt(opts.FromStamp, 10, 64)
		if err != nil || n <= 0 {
			return nil, fmt.Errorf("%w: %q is no metageneration", backend.ErrPrecondition, opts.FromStamp)
		}
		conditions.MetagenerationMatch = n
	}
	if conditions == (storage.Conditions{}) {
		return source, nil
	}
	return source.If(conditions), nil
}

// error looks what a 404 to the copy of a generation means: there is no
// such object, or it has another one.
func (c copier) error(ctx context.Context, from string, err error, opts backend.CopyOptions) error {
	const op = "copy"
	s := c.from
	err = s.settle(ctx, op, from, err)
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if c.to != c.from {
		if err := c.to.present(ctx); err != nil {
			return c.to.fail(ctx, op, from, err)
		}
	}
	if opts.FromMatch == "" {
		return err
	}
	attrs, err := s.attributes(ctx, op, from)
	if err != nil {
		return err
	}
	return s.fail(ctx, op, from, fmt.Errorf("%w: the object has generation %d", backend.ErrPrecondition, attrs.Generation))
}
