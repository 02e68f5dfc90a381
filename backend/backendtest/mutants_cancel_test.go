package backendtest_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"iter"

	"github.com/objrepl/replication/backend"
)

// cancelMutants are broken under a cancelled context.
var cancelMutants = []mutation{
	{"absent reported for a failed call", "cancelled-before", func(m *mutant) {
		m.stat = func(ctx context.Context, key string) (backend.Object, error) {
			o, err := m.Backend.Stat(ctx, key)
			if err != nil {
				err = failure("stat", key, fs.ErrNotExist)
			}
			return o, err
		}
	}},
	{"a failed listing looks empty", "cancelled-before", func(m *mutant) {
		m.list = func(ctx context.Context, o backend.ListOptions) iter.Seq2[[]backend.Object, error] {
			return func(yield func([]backend.Object, error) bool) {
				for page, err := range m.Backend.List(ctx, o) {
					if err != nil || !yield(page, err) {
						return
					}
				}
			}
		}
	}},
	{"a listing cut short looks complete", "cancelled-list", func(m *mutant) {
		m.list = func(ctx context.Context, o backend.ListOptions) iter.Seq2[[]backend.Object, error] {
			return func(yield func([]backend.Object, error) bool) {
				first := true
				for page, err := range m.Backend.List(ctx, o) {
					if (err != nil && !first) || !yield(page, err) {
						return
					}
					first = false
				}
			}
		}
	}},
	{"a cancelled put leaves a part", "cancelled-put", func(m *mutant) {
		m.put = func(ctx context.Context, key string, b backend.Body, o backend.PutOptions) (backend.Object, error) {
			obj, err := m.Backend.Put(ctx, key, b, o)
			if err != nil && ctx.Err() != nil && b.Size > 0 {
				_, _ = m.Backend.Put(context.WithoutCancel(ctx), key, backend.Bytes([]byte("part")), o)
			}
			return obj, err
		}
	}},
	{"a cancelled put leaves a part a moment later", "cancelled-put", func(m *mutant) {
		later := m.atSecondLook("/fresh")
		m.put = func(ctx context.Context, key string, b backend.Body, o backend.PutOptions) (backend.Object, error) {
			obj, err := m.Backend.Put(ctx, key, b, o)
			if err != nil && ctx.Err() != nil {
				later(func() {
					_, _ = m.Backend.Put(context.WithoutCancel(ctx), key, backend.Bytes([]byte("part")), o)
				})
			}
			return obj, err
		}
	}},
	{"put does not look at its context", "cancelled-put", func(m *mutant) {
		m.put = func(ctx context.Context, key string, b backend.Body, o backend.PutOptions) (backend.Object, error) {
			return m.Backend.Put(context.WithoutCancel(ctx), key, b, o)
		}
	}},
	{"a deadline without its error", "cancelled-put-deadline", func(m *mutant) {
		m.put = func(ctx context.Context, key string, b backend.Body, o backend.PutOptions) (backend.Object, error) {
			obj, err := m.Backend.Put(ctx, key, b, o)
			if errors.Is(err, context.DeadlineExceeded) {
				err = failure("put", key, backend.ErrUnavailable)
			}
			return obj, err
		}
	}},
	{"a reader that outlives its context", "cancelled-open", func(m *mutant) {
		m.open = func(ctx context.Context, key string, o backend.OpenOptions) (backend.Object, io.ReadCloser, error) {
			if err := ctx.Err(); err != nil {
				return backend.Object{}, nil, failure("open", key, err)
			}
			return m.Backend.Open(context.WithoutCancel(ctx), key, o)
		}
	}},
	{"a cancelled large put leaves its first part", "cancelled-put-large", func(m *mutant) {
		m.put = func(ctx context.Context, key string, b backend.Body, o backend.PutOptions) (backend.Object, error) {
			obj, err := m.Backend.Put(ctx, key, b, o)
			if err != nil && b.Size > 500_000 {
				_, _ = m.Backend.Put(context.WithoutCancel(ctx), key, backend.Bytes([]byte("part")), o)
			}
			return obj, err
		}
	}},
	{"an unknown size ends where the context does", "cancelled-put-unknown-size", func(m *mutant) {
		m.put = func(ctx context.Context, key string, b backend.Body, o backend.PutOptions) (backend.Object, error) {
			obj, err := m.Backend.Put(ctx, key, b, o)
			if err != nil && b.Size < 0 {
				return m.Backend.Put(context.WithoutCancel(ctx), key, backend.Bytes([]byte("part")), o)
			}
			return obj, err
		}
	}},
}
