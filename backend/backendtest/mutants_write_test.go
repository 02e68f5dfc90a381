package backendtest_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"slices"
	"strings"

	"github.com/objrepl/replication/backend"
)

// writeMutants are broken in writing and its conditions.
var writeMutants = []mutation{
	{"a write that the next listing lacks", "put-visible", func(m *mutant) {
		fresh := map[string]bool{}
		m.put = func(ctx context.Context, key string, b backend.Body, o backend.PutOptions) (backend.Object, error) {
			fresh[key] = true
			return m.Backend.Put(ctx, key, b, o)
		}
		m.pages(func(page []backend.Object) []backend.Object {
			return slices.DeleteFunc(page, func(o backend.Object) bool {
				hidden := fresh[o.Key]
				delete(fresh, o.Key)
				return hidden
			})
		})
	}},
	{"MaxPut not enforced", "put-too-large", func(m *mutant) {
		m.properties = func(p backend.Properties) backend.Properties { p.MaxPut = 1 << 20; return p }
	}},
	{"a write in two steps", "put-overwritten", inTwoSteps},
	{"a truncated body accepted", "body-short", func(m *mutant) {
		m.put = func(ctx context.Context, key string, b backend.Body, o backend.PutOptions) (backend.Object, error) {
			if data, err := read(b); err == nil && int64(len(data)) < b.Size {
				b = backend.Bytes(data)
			}
			return m.Backend.Put(ctx, key, b, o)
		}
	}},
	{"a body that is too long cut off", "body-long", func(m *mutant) {
		m.put = func(ctx context.Context, key string, b backend.Body, o backend.PutOptions) (backend.Object, error) {
			if data, err := read(b); err == nil && int64(len(data)) > b.Size && b.Size >= 0 {
				b = backend.Bytes(data[:b.Size])
			}
			return m.Backend.Put(ctx, key, b, o)
		}
	}},
	{"a large body that is too long cut off", "body-large-long", func(m *mutant) {
		m.put = func(ctx context.Context, key string, b backend.Body, o backend.PutOptions) (backend.Object, error) {
			if data, err := read(b); err == nil && int64(len(data)) > b.Size && b.Size > 500_000 {
				b = backend.Bytes(data[:b.Size])
			}
			return m.Backend.Put(ctx, key, b, o)
		}
	}},
	{"a failed body written as far as it came", "body-fails", func(m *mutant) {
		m.put = func(ctx context.Context, key string, b backend.Body, o backend.PutOptions) (backend.Object, error) {
			if data, err := read(b); err != nil {
				_, _ = m.Backend.Put(ctx, key, backend.Bytes(data), o)
				return backend.Object{}, failure("put", key, err)
			}
			return m.Backend.Put(ctx, key, b, o)
		}
	}},
	{"a body read no further than its size", "body-fails-at-end", func(m *mutant) {
		m.put = func(ctx context.Context, key string, b backend.Body, o backend.PutOptions) (backend.Object, error) {
			if data, err := read(b); err != nil && int64(len(data)) == b.Size {
				b = backend.Bytes(data)
			}
			return m.Backend.Put(ctx, key, b, o)
		}
	}},
	{"readers of the body left open", "body-closed", func(m *mutant) {
		m.put = func(ctx context.Context, key string, b backend.Body, o backend.PutOptions) (backend.Object, error) {
			_, _ = b.Open(0)
			return m.Backend.Put(ctx, key, b, o)
		}
	}},
	{"the file read from its position", "body-file", func(m *mutant) {
		m.put = func(ctx context.Context, key string, b backend.Body, o backend.PutOptions) (backend.Object, error) {
			if b.File != nil {
				data, _ := io.ReadAll(b.File)
				b = backend.Bytes(data)
			}
			return m.Backend.Put(ctx, key, b, o)
		}
	}},
	{"unknown size declared, not taken", "body-unknown-size", func(m *mutant) {
		m.put = func(ctx context.Context, key string, b backend.Body, o backend.PutOptions) (backend.Object, error) {
			if b.Size < 0 {
				return backend.Object{}, failure("put", key, errors.ErrUnsupported)
			}
			return m.Backend.Put(ctx, key, b, o)
		}
	}},
	{"Absent ignored", "put-if-absent", func(m *mutant) {
		m.put = func(ctx context.Context, key string, b backend.Body, o backend.PutOptions) (backend.Object, error) {
			o.If.Absent = false
			return m.Backend.Put(ctx, key, b, o)
		}
	}},
	{"Match ignored on put", "put-if-match", func(m *mutant) {
		m.put = func(ctx context.Context, key string, b backend.Body, o backend.PutOptions) (backend.Object, error) {
			o.If.Match = ""
			return m.Backend.Put(ctx, key, b, o)
		}
	}},
	{"undeclared condition taken silently", "put-if-absent", func(m *mutant) {
		m.properties = func(p backend.Properties) backend.Properties { p.Put.IfAbsent = false; return p }
	}},
	{"undeclared Match taken silently", "put-if-match", func(m *mutant) {
		m.properties = func(p backend.Properties) backend.Properties { p.Put.IfMatch = false; return p }
	}},
	{"undeclared deletion on a condition taken silently", "delete-if-match", func(m *mutant) {
		m.properties = func(p backend.Properties) backend.Properties { p.Delete.IfMatch = false; return p }
	}},
	{"Match creates", "put-if-match-absent", func(m *mutant) {
		m.put = func(ctx context.Context, key string, b backend.Body, o backend.PutOptions) (backend.Object, error) {
			if _, err := m.Backend.Stat(ctx, key); errors.Is(err, fs.ErrNotExist) {
				o.If.Match = ""
			}
			return m.Backend.Put(ctx, key, b, o)
		}
	}},
	{"conditions ignored on large objects", "put-if-large", func(m *mutant) {
		m.put = func(ctx context.Context, key string, b backend.Body, o backend.PutOptions) (backend.Object, error) {
			if b.Size > 500_000 {
				o.If = backend.Condition{}
			}
			return m.Backend.Put(ctx, key, b, o)
		}
	}},
	{"IfMatch ignored on delete", "delete-if-match", func(m *mutant) {
		m.delete = func(ctx context.Context, key string, o backend.DeleteOptions) error {
			return m.Backend.Delete(ctx, key, backend.DeleteOptions{})
		}
	}},
	{"a conditional deletion of nothing succeeds", "delete-if-match-absent", func(m *mutant) {
		m.delete = func(ctx context.Context, key string, o backend.DeleteOptions) error {
			if _, err := m.Backend.Stat(ctx, key); errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			return m.Backend.Delete(ctx, key, o)
		}
	}},
	{"Absent checked first and written later", "race-create", func(m *mutant) {
		m.put = checkThenAct(m)
	}},
	{"Match checked first and written later", "race-replace", func(m *mutant) {
		m.put = checkThenAct(m)
	}},
	{"updates get lost", "race-counter", func(m *mutant) {
		m.put = checkThenAct(m)
	}},
	{"IfMatch checked first and deleted later", "race-delete", func(m *mutant) {
		between := newMeeting()
		m.delete = func(ctx context.Context, key string, o backend.DeleteOptions) error {
			if o.IfMatch != "" {
				if now, err := m.Backend.Stat(ctx, key); err != nil || now.Tag != o.IfMatch {
					return failure("delete", key, backend.ErrPrecondition)
				}
				between.wait(ctx)
			}
			return m.Backend.Delete(ctx, key, backend.DeleteOptions{})
		}
	}},
	{"a large body that is too short accepted", "body-large-short", func(m *mutant) {
		m.put = func(ctx context.Context, key string, b backend.Body, o backend.PutOptions) (backend.Object, error) {
			if data, err := read(b); err == nil && len(data) > 500_000 && int64(len(data)) < b.Size {
				b = backend.Bytes(data)
			}
			return m.Backend.Put(ctx, key, b, o)
		}
	}},
	{"a body that is too long shows a moment after it is refused", "body-large-long", func(m *mutant) {
		later := m.atSecondLook("/fresh")
		m.put = func(ctx context.Context, key string, b backend.Body, o backend.PutOptions) (backend.Object, error) {
			obj, err := m.Backend.Put(ctx, key, b, o)
			if errors.Is(err, backend.ErrChecksum) && strings.HasSuffix(key, "kept") {
				later(func() {
					_, _ = m.Backend.Put(context.WithoutCancel(ctx), key, backend.Bytes([]byte("cut")), o)
				})
			}
			return obj, err
		}
	}},
}
