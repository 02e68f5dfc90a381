package backendtest_test

import (
	"context"
	"io"
	"iter"
	"slices"

	"github.com/objrepl/replication/backend"
)

// A mutant is a sound backend with one method broken.
type mutant struct {
	backend.Backend
	properties func(backend.Properties) backend.Properties
	stat       func(ctx context.Context, key string) (backend.Object, error)
	open       func(ctx context.Context, key string, o backend.OpenOptions) (backend.Object, io.ReadCloser, error)
	put        func(ctx context.Context, key string, b backend.Body, o backend.PutOptions) (backend.Object, error)
	delete     func(ctx context.Context, key string, o backend.DeleteOptions) error
	list       func(ctx context.Context, o backend.ListOptions) iter.Seq2[[]backend.Object, error]
	close      func() error
	upload     func(opts *backend.PartsOptions, u *uploadMutant) // see mutants_parts_test.go
	deleteMany func(ctx context.Context, d []backend.Deletion) []error
	copy       func(ctx context.Context, from, to string, o backend.CopyOptions) (backend.Object, error)
	across     func(from *string, o *backend.CopyOptions) // see mutants_across_test.go
	copied     func(ctx context.Context, o *backend.Object) error
	part       func(from *string, r *backend.CopyRange)
	uploads    func(key string) []backend.Upload // see mutants_uploads_test.go
	tags       func(map[string]string) map[string]string
	noUploads  error // of every ListUploads
}

func (m *mutant) Properties() backend.Properties {
	if m.properties != nil {
		return m.properties(m.Backend.Properties())
	}
	return m.Backend.Properties()
}

func (m *mutant) Stat(ctx context.Context, key string) (backend.Object, error) {
	if m.stat != nil {
		return m.stat(ctx, key)
	}
	return m.Backend.Stat(ctx, key)
}

func (m *mutant) Open(ctx context.Context, key string, o backend.OpenOptions) (backend.Object, io.ReadCloser, error) {
	if m.open != nil {
		return m.open(ctx, key, o)
	}
	return m.Backend.Open(ctx, key, o)
}

func (m *mutant) Put(ctx context.Context, key string, b backend.Body, o backend.PutOptions) (backend.Object, error) {
	if m.put != nil {
		return m.put(ctx, key, b, o)
	}
	return m.Backend.Put(ctx, key, b, o)
}

func (m *mutant) Delete(ctx context.Context, key string, o backend.DeleteOptions) error {
	if m.delete != nil {
		return m.delete(ctx, key, o)
	}
	return m.Backend.Delete(ctx, key, o)
}

func (m *mutant) List(ctx context.Context, o backend.ListOptions) iter.Seq2[[]backend.Object, error] {
	if m.list != nil {
		return m.list(ctx, o)
	}
	return m.Backend.List(ctx, o)
}

func (m *mutant) Close() error {
	if m.close != nil {
		return m.close()
	}
	return m.Backend.Close()
}

// pages makes a listing of a mutant from its sound pages.
func (m *mutant) pages(change func(page []backend.Object) []backend.Object) {
	m.list = func(ctx context.Context, o backend.ListOptions) iter.Seq2[[]backend.Object, error] {
		return func(yield func([]backend.Object, error) bool) {
			for page, err := range m.Backend.List(ctx, o) {
				if !yield(change(page), err) {
					return
				}
			}
		}
	}
}

// objects changes what Stat and Open say.
func (m *mutant) objects(change func(*backend.Object)) {
	m.stat = func(ctx context.Context, key string) (backend.Object, error) {
		o, err := m.Backend.Stat(ctx, key)
		change(&o)
		return o, err
	}
	m.open = func(ctx context.Context, key string, opts backend.OpenOptions) (backend.Object, io.ReadCloser, error) {
		o, r, err := m.Backend.Open(ctx, key, opts)
		change(&o)
		return o, r, err
	}
}

// keys makes a mutant mistake keys for others.
func (m *mutant) keys(change func(string) string) {
	m.stat = func(ctx context.Context, key string) (backend.Object, error) {
		o, err := m.Backend.Stat(ctx, change(key))
		o.Key = key
		return o, err
	}
	m.open = func(ctx context.Context, key string, opts backend.OpenOptions) (backend.Object, io.ReadCloser, error) {
		o, r, err := m.Backend.Open(ctx, change(key), opts)
		o.Key = key
		return o, r, err
	}
	m.put = func(ctx context.Context, key string, b backend.Body, opts backend.PutOptions) (backend.Object, error) {
		o, err := m.Backend.Put(ctx, change(key), b, opts)
		o.Key = key
		return o, err
	}
	m.delete = func(ctx context.Context, key string, opts backend.DeleteOptions) error {
		return m.Backend.Delete(ctx, change(key), opts)
	}
}

// metadata makes a mutant change metadata on the way in.
func (m *mutant) metadata(change func(*backend.Metadata)) {
	m.put = func(ctx context.Context, key string, b backend.Body, o backend.PutOptions) (backend.Object, error) {
		o.Metadata = o.Metadata.Clone()
		change(&o.Metadata)
		return m.Backend.Put(ctx, key, b, o)
	}
}

// read takes in what a careless driver takes in of a body.
func read(b backend.Body) ([]byte, error) {
	r, err := b.Open(0)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

// failure is an error as a driver returns it.
func failure(op, key string, err error) error {
	return &backend.Error{Op: op, Backend: "mutant", Key: key, Err: err}
}

// values changes the values of user metadata.
func (m *mutant) values(change func(string) string) {
	m.metadata(func(md *backend.Metadata) {
		for k, v := range md.User {
			md.User[k] = change(v)
		}
	})
}

// sorted lists in one page, in another order.
func (m *mutant) sorted(compare func(a, b string) int) {
	m.list = func(ctx context.Context, o backend.ListOptions) iter.Seq2[[]backend.Object, error] {
		return func(yield func([]backend.Object, error) bool) {
			var all []backend.Object
			for page, err := range m.Backend.List(ctx, o) {
				if err != nil {
					yield(nil, err)
					return
				}
				all = append(all, page...)
			}
			slices.SortFunc(all, func(a, b backend.Object) int { return compare(a.Key, b.Key) })
			yield(all, nil)
		}
	}
}

func utf16Of(s string) []uint16 {
	var out []uint16
	for _, r := range s {
		if r > 0xffff {
			r -= 0x10000
			out = append(out, 0xd800+uint16(r>>10), 0xdc00+uint16(r&0x3ff))
		} else {
			out = append(out, uint16(r))
		}
	}
	return out
}

// pieces reads an object by one request after another.
type pieces struct {
	r      io.ReadCloser
	next   func(offset int64) (io.ReadCloser, error)
	offset int64
}

func (p *pieces) Read(b []byte) (int, error) {
	n, err := p.r.Read(b[:min(len(b), 1000)])
	p.offset += int64(n)
	if err == nil {
		if r, again := p.next(p.offset); again == nil {
			p.r = r
		}
	}
	return n, err
}

func (p *pieces) Close() error { return p.r.Close() }
