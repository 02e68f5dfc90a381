package backendtest_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"iter"
	"strings"
	"sync"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/memory"
)

// answersMutants are broken in what they say of objects, and in reading.
var answersMutants = []mutation{
	{"properties that change", "properties", func(m *mutant) {
		n := 0
		m.properties = func(p backend.Properties) backend.Properties { n++; p.MaxMetadata = n; return p }
	}},
	{"CheckKey without a class", "properties", func(m *mutant) {
		m.properties = func(p backend.Properties) backend.Properties {
			p.CheckKey = func(key string) error {
				if strings.HasPrefix(key, "\x00") {
					return errors.New("no")
				}
				return nil
			}
			return p
		}
	}},
	{"empty key accepted", "empty-key", func(m *mutant) {
		m.stat = func(ctx context.Context, key string) (backend.Object, error) {
			if key == "" {
				return backend.Object{}, nil
			}
			return m.Backend.Stat(ctx, key)
		}
	}},
	{"a stale first version is served", "put-get", func(m *mutant) {
		first := map[string]bool{}
		m.put = func(ctx context.Context, key string, b backend.Body, o backend.PutOptions) (backend.Object, error) {
			if first[key] && strings.Contains(key, "dir/object.bin") {
				return backend.Object{Key: key, Size: b.Size, Tag: "1"}, nil
			}
			first[key] = true
			return m.Backend.Put(ctx, key, b, o)
		}
	}},
	{"absent without a class", "absent", func(m *mutant) {
		m.stat = func(ctx context.Context, key string) (backend.Object, error) {
			o, err := m.Backend.Stat(ctx, key)
			if errors.Is(err, fs.ErrNotExist) {
				err = failure("stat", key, errors.New("404"))
			}
			return o, err
		}
	}},
	{"a directory is an object", "absent", func(m *mutant) {
		m.stat = func(ctx context.Context, key string) (backend.Object, error) {
			o, err := m.Backend.Stat(ctx, key)
			if err != nil && strings.HasSuffix(key, "/dir") {
				return backend.Object{Key: key, Tag: "dir"}, nil
			}
			return o, err
		}
	}},
	{"delete deletes nothing", "delete", func(m *mutant) {
		m.delete = func(context.Context, string, backend.DeleteOptions) error { return nil }
	}},
	{"delete deletes by prefix", "delete", func(m *mutant) {
		m.delete = func(ctx context.Context, key string, o backend.DeleteOptions) error {
			for page := range m.Backend.List(ctx, backend.ListOptions{Prefix: key}) {
				for _, o := range page {
					_ = m.Backend.Delete(ctx, o.Key, backend.DeleteOptions{})
				}
			}
			return m.Backend.Delete(ctx, key, o)
		}
	}},
	{"deleting an absent object fails", "delete-absent", func(m *mutant) {
		m.delete = func(ctx context.Context, key string, o backend.DeleteOptions) error {
			if _, err := m.Backend.Stat(ctx, key); err != nil {
				return failure("delete", key, fs.ErrNotExist)
			}
			return m.Backend.Delete(ctx, key, o)
		}
	}},
	{"a quoted tag in listings", "tag-agrees", func(m *mutant) {
		m.pages(func(page []backend.Object) []backend.Object {
			for i := range page {
				page[i].Tag = `"` + page[i].Tag + `"`
			}
			return page
		})
	}},
	{"another tag from put", "tag-agrees", func(m *mutant) {
		m.put = func(ctx context.Context, key string, b backend.Body, o backend.PutOptions) (backend.Object, error) {
			obj, err := m.Backend.Put(ctx, key, b, o)
			obj.Tag = "W/" + obj.Tag
			return obj, err
		}
	}},
	{"a stamp in stat alone", "tag-agrees", func(m *mutant) {
		m.stat = func(ctx context.Context, key string) (backend.Object, error) {
			o, err := m.Backend.Stat(ctx, key)
			o.Stamp = "now"
			return o, err
		}
	}},
	{"a tag of nothing but the size", "tag-moves", func(m *mutant) {
		m.objects(func(o *backend.Object) { o.Tag = "size" })
		m.pages(func(page []backend.Object) []backend.Object {
			for i := range page {
				page[i].Tag = "size"
			}
			return page
		})
		m.put = func(ctx context.Context, key string, b backend.Body, o backend.PutOptions) (backend.Object, error) {
			obj, err := m.Backend.Put(ctx, key, b, o)
			obj.Tag = "size"
			return obj, err
		}
	}},
	{"a tag of size and mtime", "stamp", func(m *mutant) {
		m.objects(func(o *backend.Object) {
			if o.Metadata != nil && !o.Metadata.ModTime.IsZero() {
				o.Tag = backend.Tag(o.Metadata.ModTime.String())
			}
		})
	}},
	{"bare errors", "errors", func(m *mutant) {
		m.stat = func(ctx context.Context, key string) (backend.Object, error) {
			o, err := m.Backend.Stat(ctx, key)
			if err != nil {
				err = errors.Unwrap(err)
			}
			return o, err
		}
	}},
	{"errors that name another operation", "errors", func(m *mutant) {
		m.open = func(ctx context.Context, key string, opts backend.OpenOptions) (backend.Object, io.ReadCloser, error) {
			o, r, err := m.Backend.Open(ctx, key, opts)
			if err != nil {
				err = failure("get", key, err)
			}
			return o, r, err
		}
	}},
	{"Close that fails", "close", func(m *mutant) {
		m.close = func() error { return errors.New("cannot") }
	}},
	{"use after Close panics", "close", func(m *mutant) {
		closed := false
		m.close = func() error { closed = true; return nil }
		m.list = func(ctx context.Context, o backend.ListOptions) iter.Seq2[[]backend.Object, error] {
			if closed {
				panic("closed")
			}
			return m.Backend.List(ctx, o)
		}
	}},
	{"ranges one byte short", "range", func(m *mutant) {
		m.open = func(ctx context.Context, key string, o backend.OpenOptions) (backend.Object, io.ReadCloser, error) {
			if o.Length > 1 {
				o.Length--
			}
			return m.Backend.Open(ctx, key, o)
		}
	}},
	{"a range beyond the end fails", "range", func(m *mutant) {
		m.open = func(ctx context.Context, key string, o backend.OpenOptions) (backend.Object, io.ReadCloser, error) {
			obj, r, err := m.Backend.Open(ctx, key, o)
			if err == nil && o.Offset > 0 && o.Offset >= obj.Size {
				return obj, nil, failure("open", key, errors.New("416"))
			}
			return obj, r, err
		}
	}},
	{"the size of a range is the range's", "range", func(m *mutant) {
		m.open = func(ctx context.Context, key string, o backend.OpenOptions) (backend.Object, io.ReadCloser, error) {
			obj, r, err := m.Backend.Open(ctx, key, o)
			if o.Length > 0 {
				obj.Size = min(obj.Size, o.Length)
			}
			return obj, r, err
		}
	}},
	{"any range of an empty object fails", "range-empty", func(m *mutant) {
		m.open = func(ctx context.Context, key string, o backend.OpenOptions) (backend.Object, io.ReadCloser, error) {
			obj, r, err := m.Backend.Open(ctx, key, o)
			if err == nil && obj.Size == 0 && o != (backend.OpenOptions{}) {
				return obj, nil, failure("open", key, errors.New("416"))
			}
			return obj, r, err
		}
	}},
	{"IfMatch ignored on open", "open-if-match", func(m *mutant) {
		m.open = func(ctx context.Context, key string, o backend.OpenOptions) (backend.Object, io.ReadCloser, error) {
			o.IfMatch = ""
			return m.Backend.Open(ctx, key, o)
		}
	}},
	{"IfMatch ignored on ranges alone", "open-if-match", func(m *mutant) {
		m.open = func(ctx context.Context, key string, o backend.OpenOptions) (backend.Object, io.ReadCloser, error) {
			if o.Offset > 0 {
				o.IfMatch = ""
			}
			return m.Backend.Open(ctx, key, o)
		}
	}},
	{"a reader that goes on with the next version", "open-overwritten", func(m *mutant) {
		m.open = func(ctx context.Context, key string, o backend.OpenOptions) (backend.Object, io.ReadCloser, error) {
			obj, r, err := m.Backend.Open(ctx, key, o)
			if err == nil {
				r = &pieces{r: r, next: func(offset int64) (io.ReadCloser, error) {
					_, r, err := m.Backend.Open(ctx, key, backend.OpenOptions{Offset: offset})
					return r, err
				}}
			}
			return obj, r, err
		}
	}},
	{"an empty object is not written", "put-empty", func(m *mutant) {
		m.put = func(ctx context.Context, key string, b backend.Body, o backend.PutOptions) (backend.Object, error) {
			if b.Size == 0 {
				return backend.Object{Key: key, Tag: "1"}, nil
			}
			return m.Backend.Put(ctx, key, b, o)
		}
	}},
	{"parts of a large object in the wrong order", "put-large", func(m *mutant) {
		m.put = func(ctx context.Context, key string, b backend.Body, o backend.PutOptions) (backend.Object, error) {
			if data, err := read(b); err == nil && len(data) > 500_000 {
				b = backend.Bytes(append(data[400_000:], data[:400_000]...))
			}
			return m.Backend.Put(ctx, key, b, o)
		}
	}},
	{"every opening is another store", "reopen", func(m *mutant) {
		m.Backend = memory.NewBackend()
	}},
	{"a range skips a byte at a part's border", "range-large", func(m *mutant) {
		m.open = func(ctx context.Context, key string, o backend.OpenOptions) (backend.Object, io.ReadCloser, error) {
			if o.Offset > 500_000 && o.Length > 1 {
				o.Offset++
			}
			return m.Backend.Open(ctx, key, o)
		}
	}},
	{"Close waits for the rest", "open-close-early", func(m *mutant) {
		m.open = func(ctx context.Context, key string, o backend.OpenOptions) (backend.Object, io.ReadCloser, error) {
			obj, r, err := m.Backend.Open(ctx, key, o)
			return obj, lateClose{r, ctx}, err
		}
	}},
	{"writers share a buffer", "concurrent", func(m *mutant) {
		var mu sync.Mutex
		var shared []byte
		between := newMeeting()
		m.put = func(ctx context.Context, key string, b backend.Body, o backend.PutOptions) (backend.Object, error) {
			data, err := read(b)
			if err != nil {
				return backend.Object{}, failure("put", key, err)
			}
			mu.Lock()
			shared = data
			mu.Unlock()
			between.wait(ctx)
			mu.Lock()
			data = shared
			mu.Unlock()
			return m.Backend.Put(ctx, key, backend.Bytes(data), o)
		}
	}},
}

// lateClose closes when the check has ended.
type lateClose struct {
	io.ReadCloser
	check context.Context
}

func (c lateClose) Close() error {
	<-c.check.Done()
	return c.ReadCloser.Close()
}
