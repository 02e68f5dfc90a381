package backendtest_test

import (
	"context"
	"errors"
	"io/fs"
	"slices"

	"github.com/objrepl/replication/backend"
)

// UploadParts passes on what the backend behind can do, or what upload made of
// it.
func (m *mutant) UploadParts(ctx context.Context, key string, opts backend.PartsOptions) (backend.PartUpload, error) {
	uploader, ok := backend.As[backend.PartUploader](m.Backend)
	if !ok {
		return nil, failure("upload", key, errors.ErrUnsupported)
	}
	u := &uploadMutant{mutant: m, key: key, fresh: opts.ID == ""}
	if m.upload != nil {
		m.upload(&opts, u)
	}
	var err error
	if u.PartUpload, err = uploader.UploadParts(ctx, key, opts); err != nil && u.forgiving {
		u.PartUpload, err = uploader.UploadParts(ctx, key, backend.PartsOptions{PartSize: opts.PartSize})
	}
	return u, err
}

// An uploadMutant is a sound upload with one method broken.
type uploadMutant struct {
	backend.PartUpload
	mutant    *mutant
	key       string
	fresh     bool
	forgiving bool // begins an upload in the place of one that is not there
	put       func(ctx context.Context, number int, b backend.Body) (backend.Part, error)
	parts     func(ctx context.Context) ([]backend.Part, error)
	complete  func(ctx context.Context, parts []backend.Part, c backend.Condition) (backend.Object, error)
	abort     func(ctx context.Context) error
}

func (u *uploadMutant) Put(ctx context.Context, number int, b backend.Body) (backend.Part, error) {
	if u.put != nil {
		return u.put(ctx, number, b)
	}
	return u.PartUpload.Put(ctx, number, b)
}

func (u *uploadMutant) Parts(ctx context.Context) ([]backend.Part, error) {
	if u.parts != nil {
		return u.parts(ctx)
	}
	return u.PartUpload.Parts(ctx)
}

func (u *uploadMutant) Complete(ctx context.Context, parts []backend.Part, c backend.Condition) (backend.Object, error) {
	if u.complete != nil {
		return u.complete(ctx, parts, c)
	}
	return u.PartUpload.Complete(ctx, parts, c)
}

func (u *uploadMutant) Abort(ctx context.Context) error {
	if u.abort != nil {
		return u.abort(ctx)
	}
	return u.PartUpload.Abort(ctx)
}

// uploads makes a mutation of the uploads alone.
func uploads(change func(u *uploadMutant)) func(*mutant) {
	return func(m *mutant) {
		m.upload = func(_ *backend.PartsOptions, u *uploadMutant) { change(u) }
	}
}

// ignoring completes whatever the condition.
func ignoring(u *uploadMutant) {
	u.complete = func(ctx context.Context, parts []backend.Part, _ backend.Condition) (backend.Object, error) {
		return u.PartUpload.Complete(ctx, parts, backend.Condition{})
	}
}

// partMutants are broken in uploads in parts.
var partMutants = []mutation{
	{"limits that no part can keep to", "properties", func(m *mutant) {
		m.properties = func(p backend.Properties) backend.Properties {
			p.Parts = backend.PartLimits{Min: 2, Max: 1}
			return p
		}
	}},
	{"parts in the order in which they came", "parts", uploads(func(u *uploadMutant) {
		var came int
		u.put = func(ctx context.Context, number int, b backend.Body) (backend.Part, error) {
			came++
			p, err := u.PartUpload.Put(ctx, came, b)
			p.Number = number
			return p, err
		}
	})},
	{"parts that show before they are complete", "parts", uploads(func(u *uploadMutant) {
		u.put = func(ctx context.Context, number int, b backend.Body) (backend.Part, error) {
			_, _ = u.mutant.Backend.Put(ctx, u.key, b, backend.PutOptions{})
			return u.PartUpload.Put(ctx, number, b)
		}
	})},
	{"metadata of an upload dropped", "parts", func(m *mutant) {
		m.upload = func(opts *backend.PartsOptions, _ *uploadMutant) { opts.Metadata = backend.Metadata{} }
	}},
	{"a tag of Complete that nobody else knows", "parts", uploads(func(u *uploadMutant) {
		u.complete = func(ctx context.Context, parts []backend.Part, c backend.Condition) (backend.Object, error) {
			o, err := u.PartUpload.Complete(ctx, parts, c)
			o.Tag += "-1"
			return o, err
		}
	})},
	{"an upload that another backend begins anew", "parts-resume", uploads(func(u *uploadMutant) {
		u.parts = func(ctx context.Context) ([]backend.Part, error) {
			if u.fresh {
				return u.PartUpload.Parts(ctx)
			}
			return nil, ctx.Err()
		}
	})},
	{"a part that is there already kept", "parts-twice", uploads(func(u *uploadMutant) {
		u.put = func(ctx context.Context, number int, b backend.Body) (backend.Part, error) {
			have, _ := u.PartUpload.Parts(ctx)
			if i := slices.IndexFunc(have, func(p backend.Part) bool { return p.Number == number }); i >= 0 {
				return have[i], nil
			}
			return u.PartUpload.Put(ctx, number, b)
		}
	})},
	{"a part cut off at its size", "parts-length", uploads(func(u *uploadMutant) {
		u.put = func(ctx context.Context, number int, b backend.Body) (backend.Part, error) {
			if data, err := read(b); err == nil {
				b = backend.Bytes(data[:min(int64(len(data)), b.Size)])
			}
			return u.PartUpload.Put(ctx, number, b)
		}
	})},
	{"an upload completed as far as it came", "parts-missing", uploads(func(u *uploadMutant) {
		u.complete = func(ctx context.Context, _ []backend.Part, c backend.Condition) (backend.Object, error) {
			have, err := u.PartUpload.Parts(ctx)
			if err != nil {
				return backend.Object{}, err
			}
			return u.PartUpload.Complete(ctx, have, c)
		}
	})},
	{"an Abort that does nothing", "parts-abort", uploads(func(u *uploadMutant) {
		u.abort = func(context.Context) error { return nil }
	})},
	{"an Abort that minds that there is nothing to do", "parts-abort", uploads(func(u *uploadMutant) {
		done := false
		u.abort = func(ctx context.Context) error {
			if done {
				return failure("abort", u.key, fs.ErrNotExist)
			}
			done = true
			return u.PartUpload.Abort(ctx)
		}
	})},
	{"an upload begun in the place of one that is not there", "parts-unknown", uploads(func(u *uploadMutant) {
		u.forgiving = true
	})},
	{"Complete on Absent ignored", "parts-if-absent", uploads(ignoring)},
	{"an upload that a failed Complete ends", "parts-if-absent", uploads(func(u *uploadMutant) {
		u.complete = func(ctx context.Context, parts []backend.Part, c backend.Condition) (backend.Object, error) {
			o, err := u.PartUpload.Complete(ctx, parts, c)
			if err != nil {
				_ = u.PartUpload.Abort(ctx)
			}
			return o, err
		}
	})},
	{"Complete on Match ignored", "parts-if-match", uploads(ignoring)},
	{"conditions of Complete declared by halves", "parts-if-match", func(m *mutant) {
		m.properties = func(p backend.Properties) backend.Properties { p.Complete = backend.Conditions{}; return p }
	}},
	{"a condition of Complete that is looked at before", "parts-race", lookThenComplete},
}

func lookThenComplete(m *mutant) {
	between := newMeeting() // of all uploads
	m.upload = func(_ *backend.PartsOptions, u *uploadMutant) {
		u.complete = func(ctx context.Context, parts []backend.Part, c backend.Condition) (backend.Object, error) {
			now, err := u.mutant.Backend.Stat(ctx, u.key)
			if c.Absent && err == nil || c.Match != "" && now.Tag != c.Match {
				return backend.Object{}, failure("complete", u.key, backend.ErrPrecondition)
			}
			between.wait(ctx)
			return u.PartUpload.Complete(ctx, parts, backend.Condition{})
		}
	}
}
