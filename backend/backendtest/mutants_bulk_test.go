package backendtest_test

import (
	"context"
	"errors"
	"io/fs"
	"strings"

	"github.com/objrepl/replication/backend"
)

func (m *mutant) soundDeleteMany(ctx context.Context, d []backend.Deletion) []error {
	bulk, _ := backend.As[backend.BulkDeleter](m.Backend)
	return bulk.DeleteMany(ctx, d)
}

// DeleteMany passes on what the backend behind can do, or what deleteMany made
// of it.
func (m *mutant) DeleteMany(ctx context.Context, d []backend.Deletion) []error {
	if m.deleteMany != nil {
		return m.deleteMany(ctx, d)
	}
	return m.soundDeleteMany(ctx, d)
}

func (m *mutant) soundCopy(ctx context.Context, from, to string, o backend.CopyOptions) (backend.Object, error) {
	copier, _ := backend.As[backend.Copier](m.Backend)
	return copier.Copy(ctx, from, to, o)
}

// Copy is like DeleteMany.
func (m *mutant) Copy(ctx context.Context, from, to string, o backend.CopyOptions) (backend.Object, error) {
	if m.copy != nil {
		return m.copy(ctx, from, to, o)
	}
	return m.soundCopy(ctx, from, to, o)
}

// deletions changes what is asked to be deleted.
func deletions(change func(d []backend.Deletion) []backend.Deletion) func(*mutant) {
	return func(m *mutant) {
		m.deleteMany = func(ctx context.Context, d []backend.Deletion) []error {
			return append(m.soundDeleteMany(ctx, change(d)), make([]error, len(d))...)[:len(d)]
		}
	}
}

// bulkMutants are broken in deleting many objects at once.
var bulkMutants = []mutation{
	{"limits of many that nothing keeps to", "properties", func(m *mutant) {
		m.properties = func(p backend.Properties) backend.Properties { p.MaxBulkDelete = -1; return p }
	}},
	{"all but the last deleted", "delete-many", deletions(func(d []backend.Deletion) []backend.Deletion { return d[:len(d)-1] })},
	{"keys taken for prefixes", "delete-many", func(m *mutant) {
		m.deleteMany = func(ctx context.Context, d []backend.Deletion) []error {
			for _, d := range d {
				for page, err := range m.Backend.List(ctx, backend.ListOptions{Prefix: d.Key}) {
					for _, o := range page {
						err = errors.Join(err, m.Backend.Delete(ctx, o.Key, backend.DeleteOptions{}))
					}
					if err != nil {
						return nil
					}
				}
			}
			return make([]error, len(d))
		}
	}},
	{"only errors answered", "delete-many", func(m *mutant) {
		m.deleteMany = func(ctx context.Context, d []backend.Deletion) (errs []error) {
			for _, err := range m.soundDeleteMany(ctx, d) {
				if err != nil {
					errs = append(errs, err)
				}
			}
			return errs
		}
	}},
	{"a limit that is not kept to", "delete-many-full", func(m *mutant) {
		m.properties = func(p backend.Properties) backend.Properties { p.MaxBulkDelete++; return p }
	}},
	{"absent objects among many failed", "delete-many-full", func(m *mutant) {
		m.deleteMany = func(ctx context.Context, d []backend.Deletion) []error {
			errs := m.soundDeleteMany(ctx, d)
			for i := range d {
				if i%2 == 1 {
					errs[i] = failure("delete", d[i].Key, fs.ErrNotExist)
				}
			}
			return errs
		}
	}},
	{"many deleted up to the first that fails", "delete-many-partly", func(m *mutant) {
		m.deleteMany = func(ctx context.Context, d []backend.Deletion) []error {
			errs := make([]error, len(d))
			for i := range d {
				if errs[i] = m.soundDeleteMany(ctx, d[i:i+1])[0]; errs[i] != nil {
					break
				}
			}
			return errs
		}
	}},
	{"line ends of keys among many normalised", "delete-many-odd", deletions(func(d []backend.Deletion) []backend.Deletion {
		out := make([]backend.Deletion, len(d))
		for i := range d {
			out[i].Key = strings.ReplaceAll(d[i].Key, "\r\n", "\n")
		}
		return out
	})},
	{"IfMatch ignored among many", "delete-many-if-match", deletions(func(d []backend.Deletion) []backend.Deletion {
		out := make([]backend.Deletion, len(d))
		for i := range d {
			out[i].Key = d[i].Key
		}
		return out
	})},
	{"undeclared conditions among many taken silently", "delete-many-if-match", func(m *mutant) {
		m.properties = func(p backend.Properties) backend.Properties { p.BulkDelete = backend.Conditions{}; return p }
	}},
	{"many deleted although cancelled", "delete-many-cancelled", func(m *mutant) {
		m.deleteMany = func(ctx context.Context, d []backend.Deletion) []error {
			return m.soundDeleteMany(context.WithoutCancel(ctx), d)
		}
	}},
}

// copyMutants are broken in copying within the store.
var copyMutants = []mutation{
	{"metadata of a copy dropped", "copy", func(m *mutant) {
		m.copy = func(ctx context.Context, from, to string, o backend.CopyOptions) (backend.Object, error) {
			_, r, err := m.Backend.Open(ctx, from, backend.OpenOptions{IfMatch: o.FromMatch})
			if err != nil {
				return backend.Object{}, err
			}
			data := make([]byte, 1000)
			n, _ := r.Read(data)
			return m.Backend.Put(ctx, to, backend.Bytes(data[:n]), backend.PutOptions{If: o.If})
		}
	}},
	{"a copy that is a move", "copy", func(m *mutant) {
		m.copy = func(ctx context.Context, from, to string, o backend.CopyOptions) (backend.Object, error) {
			out, err := m.soundCopy(ctx, from, to, o)
			if err == nil {
				err = m.Backend.Delete(ctx, from, backend.DeleteOptions{})
			}
			return out, err
		}
	}},
	{"a copy of nothing", "copy", func(m *mutant) {
		m.copy = func(ctx context.Context, from, to string, o backend.CopyOptions) (backend.Object, error) {
			out, err := m.soundCopy(ctx, from, to, o)
			if errors.Is(err, fs.ErrNotExist) {
				return backend.Object{Key: to, Tag: "none"}, nil
			}
			return out, err
		}
	}},
	{"FromMatch ignored", "copy-from-match", func(m *mutant) {
		m.copy = func(ctx context.Context, from, to string, o backend.CopyOptions) (backend.Object, error) {
			o.FromMatch = ""
			return m.soundCopy(ctx, from, to, o)
		}
	}},
	{"Copy on Absent ignored", "copy-if-absent", func(m *mutant) {
		m.copy = func(ctx context.Context, from, to string, o backend.CopyOptions) (backend.Object, error) {
			o.If = backend.Condition{}
			return m.soundCopy(ctx, from, to, o)
		}
	}},
	{"undeclared conditions of Copy taken silently", "copy-if-absent", func(m *mutant) {
		m.properties = func(p backend.Properties) backend.Properties { p.Copy = backend.Conditions{}; return p }
		m.copy = func(ctx context.Context, from, to string, o backend.CopyOptions) (backend.Object, error) {
			o.If = backend.Condition{}
			return m.soundCopy(ctx, from, to, o)
		}
	}},
	{"Copy on Match ignored", "copy-if-match", func(m *mutant) {
		m.copy = func(ctx context.Context, from, to string, o backend.CopyOptions) (backend.Object, error) {
			o.If.Match = ""
			return m.soundCopy(ctx, from, to, o)
		}
	}},
}
