package gcs

import (
	"context"
	"errors"
	"fmt"

	"cloud.google.com/go/storage"
	"golang.org/x/sync/errgroup"

	"github.com/objrepl/replication/backend"
)

const (
	// maxComponents is how many objects one request composes
	// (https://cloud.google.com/storage/docs/composite-objects).
	maxComponents = 32
	// compositions is how many requests compose at once.
	compositions = 8
)

// A component is one version of an object that is to be composed.
type component struct {
	name       string
	generation int64
}

// Complete implements backend.PartUpload: a listing of the parts, compositions
// of 32 until one is left, and the removal of all but the object. If the last
// fails the object is there all the same, and the upload too.
func (u *upload) Complete(ctx context.Context, parts []backend.Part, c backend.Condition) (backend.Object, error) {
	const op = "complete"
	s := u.store
	header, err := u.known(ctx, op)
	if err != nil {
		return backend.Object{}, err
	}
	components, size, err := u.components(ctx, op, parts)
	if err != nil {
		return backend.Object{}, s.fail(ctx, op, u.key, err)
	}
	target, err := on(s.bucket.Object(u.key), c)
	if err != nil {
		return backend.Object{}, s.fail(ctx, op, u.key, err)
	}
	for level := 1; len(components) > maxComponents; level++ {
		if components, err = u.level(ctx, level, components, header.StorageClass); err != nil {
			return backend.Object{}, u.composeError(ctx, op, err)
		}
	}
	written, err := s.compose(ctx, target, components, storage.ObjectAttrs{
		ContentType: header.ContentType, ContentEncoding: header.ContentEncoding, ContentLanguage: header.ContentLanguage,
		ContentDisposition: header.ContentDisposition, CacheControl: header.CacheControl, Metadata: header.Metadata,
		StorageClass: header.StorageClass,
	})
	if err != nil {
		return backend.Object{}, s.conditionError(ctx, op, u.key, err, c)
	}
	if written.Size != size {
		return backend.Object{}, s.fail(ctx, op, u.key, fmt.Errorf("%w: the object has %d bytes, its parts %d", backend.ErrUnavailable, written.Size, size))
	}
	if err := u.remove(ctx, op); err != nil {
		return backend.Object{}, err
	}
	return objectOf(written), nil
}

// components checks the parts that a caller has against those that the store
// has.
func (u *upload) components(ctx context.Context, op string, parts []backend.Part) ([]component, int64, error) {
	there, err := u.parts(ctx, op)
	if err != nil {
		return nil, 0, err
	}
	if len(parts) == 0 || len(parts) > len(there) {
		return nil, 0, fmt.Errorf("%w: %d parts, of %d that are there", backend.ErrChecksum, len(parts), len(there))
	}
	out := make([]component, len(parts))
	size := int64(0)
	for i, p := range parts {
		if p.Number != i+1 || there[i] != p {
			return nil, 0, fmt.Errorf("%w: part %d is not the one that is there", backend.ErrChecksum, i+1)
		}
		generation, err := generationOf(p.Tag)
		if err != nil {
			return nil, 0, err
		}
		out[i] = component{u.part(p.Number), generation}
		size += p.Size
	}
	return out, size, nil
}

// level composes components to a 32nd as many.
func (u *upload) level(ctx context.Context, level int, components []component, class string) ([]component, error) {
	out := make([]component, (len(components)+maxComponents-1)/maxComponents)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(compositions)
	for i := range out {
		group.Go(func() error {
			some := components[i*maxComponents : min((i+1)*maxComponents, len(components))]
			name := u.composed(level, i)
			attrs, err := u.store.compose(ctx, u.store.bucket.Object(name), some, storage.ObjectAttrs{StorageClass: class})
			if err == nil {
				out[i] = component{name, attrs.Generation}
			}
			return err
		})
	}
	return out, group.Wait()
}

// compose makes an object of others, of just these generations.
func (s *Store) compose(ctx context.Context, target *storage.ObjectHandle, components []component, attrs storage.ObjectAttrs) (*storage.ObjectAttrs, error) {
	sources := make([]*storage.ObjectHandle, len(components))
	for i, c := range components {
		sources[i] = s.bucket.Object(c.name).Generation(c.generation).If(storage.Conditions{GenerationMatch: c.generation})
	}
	composer := target.ComposerFrom(sources...)
	composer.ObjectAttrs = attrs
	return composer.Run(ctx)
}

// composeError names what a part that is gone or replaced meanwhile is: the
// listing before had it.
func (u *upload) composeError(ctx context.Context, op string, err error) error {
	err = u.store.settle(ctx, op, u.key, err)
	var e *backend.Error
	if errors.As(err, &e) && errors.Is(err, backend.ErrPrecondition) {
		e.Err = fmt.Errorf("%w: a part was replaced meanwhile", backend.ErrChecksum)
	}
	return err
}
