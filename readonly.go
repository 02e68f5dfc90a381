package replication

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"sync/atomic"

	"github.com/objrepl/replication/backend"
)

// readOnly is a backend that refuses every change, for what only looks. It
// does not have Unwrap, so that no capability that changes something is in
// reach either. It counts the requests that it lets through.
type readOnly struct {
	backend.Backend
	// missingIsEmpty: a store that does not exist lists as an empty one.
	missingIsEmpty bool

	missing             atomic.Bool // it did not exist
	lists, stats, opens atomic.Int64
}

var errReadOnly = fmt.Errorf("nothing is changed by looking: %w", errors.ErrUnsupported)

func (r *readOnly) Put(context.Context, string, backend.Body, backend.PutOptions) (backend.Object, error) {
	return backend.Object{}, errReadOnly
}

func (r *readOnly) Delete(context.Context, string, backend.DeleteOptions) error { return errReadOnly }

func (r *readOnly) Stat(ctx context.Context, key string) (backend.Object, error) {
	r.stats.Add(1)
	return r.Backend.Stat(ctx, key)
}

func (r *readOnly) Open(ctx context.Context, key string, opts backend.OpenOptions) (backend.Object, io.ReadCloser, error) {
	r.opens.Add(1)
	return r.Backend.Open(ctx, key, opts)
}

// List counts a request for every page, and one for a listing without any.
func (r *readOnly) List(ctx context.Context, opts backend.ListOptions) iter.Seq2[[]backend.Object, error] {
	return func(yield func([]backend.Object, error) bool) {
		pages := int64(0)
		defer func() { r.lists.Add(max(pages, 1)) }()
		for page, err := range r.Backend.List(ctx, opts) {
			if err != nil && r.missingIsEmpty && errors.Is(err, backend.ErrStoreNotFound) {
				r.missing.Store(true)
				return
			}
			if err == nil {
				pages++
			}
			if !yield(page, err) {
				return
			}
		}
	}
}
