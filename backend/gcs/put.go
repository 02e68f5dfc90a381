package gcs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"cloud.google.com/go/storage"

	"github.com/objrepl/replication/backend"
)

const (
	// chunk is how much of a large body one request sends, and what a Put holds
	// in memory at most. Google advises 8 MiB at least
	// (https://cloud.google.com/storage/docs/performing-resumable-uploads#chunked-upload).
	chunk = 8 << 20
	// chunkStep is what the store wants chunks to be multiples of.
	chunkStep = 256 << 10
)

// Put implements backend.Backend.
func (s *Store) Put(ctx context.Context, key string, body backend.Body, opts backend.PutOptions) (backend.Object, error) {
	const op = "put"
	if err := checkKey(key); err != nil {
		return backend.Object{}, s.fail(ctx, op, key, err)
	}
	attrs, err := s.attributesOf(opts)
	if err != nil {
		return backend.Object{}, s.fail(ctx, op, key, err)
	}
	written, err := s.write(ctx, key, body, attrs, opts.If)
	if err != nil {
		return backend.Object{}, s.writeError(ctx, op, key, err, opts.If)
	}
	return objectOf(written), nil
}

// write uploads a body with its CRC-32C, which the store compares before it
// makes an object of it: beside the metadata of a body that fits into one
// chunk, and else with the last one.
func (s *Store) write(ctx context.Context, name string, body backend.Body, attrs storage.ObjectAttrs, c backend.Condition) (*storage.ObjectAttrs, error) {
	if body.Size > maxObject {
		return nil, fmt.Errorf("%w: %d bytes, more than %d", backend.ErrTooLarge, body.Size, int64(maxObject))
	}
	object, err := on(s.bucket.Object(name), c)
	if err != nil {
		return nil, err
	}
	// Ends the request of a body that fails, and what watches it in the SDK.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	w := object.NewWriter(ctx)
	attrs.Name = name
	w.ObjectAttrs = attrs
	w.KMSKeyName = s.kmsKey
	w.ForceEmptyContentType = true
	w.ChunkSize = chunk
	if body.Size >= 0 {
		w.ChunkSize = int(min(chunk, (body.Size/chunkStep+1)*chunkStep))
	}
	if failed := pump(ctx, w, body); failed != nil {
		// The SDK takes Close alone for the end of a body that is whole.
		//lint:ignore SA1019 cancelling the context would close the body some time later
		_ = w.CloseWithError(failed.err)
		if failed.source {
			cancel() // else the request has ended, and Close would say that it was cancelled
		}
		err := w.Close()
		if failed.source || err == nil {
			return nil, failed.err
		}
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	written := w.Attrs()
	if written == nil || written.Generation == 0 {
		return nil, fmt.Errorf("%w: the answer has no generation", backend.ErrUnavailable)
	}
	return written, nil
}

// conditionError is settle for a write on a condition.
func (s *Store) conditionError(ctx context.Context, op, key string, err error, c backend.Condition) error {
	err = s.settle(ctx, op, key, err)
	var e *backend.Error
	if c.Absent && errors.Is(err, backend.ErrPrecondition) && errors.As(err, &e) {
		e.Err = fmt.Errorf("%w: %w", fs.ErrExist, e.Err)
	}
	return err
}

// writeError is conditionError for an upload. A 404 to one can speak of
// nothing but the bucket or the encryption key, and never of an object.
func (s *Store) writeError(ctx context.Context, op, key string, err error, c backend.Condition) error {
	err = s.conditionError(ctx, op, key, err, c)
	var e *backend.Error
	if errors.Is(err, fs.ErrNotExist) && errors.As(err, &e) {
		e.Err = errors.New(e.Err.Error())
		if s.kmsKey != "" {
			e.Hint = hintKMS
		}
	}
	return err
}
