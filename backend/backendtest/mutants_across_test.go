package backendtest_test

import (
	"context"
	"errors"
	"io/fs"

	"github.com/objrepl/replication/backend"
)

// CopierFrom copies from the store behind a mutant to the one behind this one.
func (m *mutant) CopierFrom(source backend.Backend) backend.Copier {
	if s, ok := source.(*mutant); ok {
		source = s.Backend
	}
	copier := backend.CopierBetween(source, m.Backend)
	if copier == nil {
		return nil
	}
	return acrossMutant{copier.(backend.PartCopier), m}
}

// An acrossMutant copies between stores, with one method broken.
type acrossMutant struct {
	backend.PartCopier
	m *mutant
}

func (a acrossMutant) Copy(ctx context.Context, from, to string, o backend.CopyOptions) (backend.Object, error) {
	if a.m.across != nil {
		a.m.across(&from, &o)
	}
	copied, err := a.PartCopier.Copy(ctx, from, to, o)
	if err == nil && a.m.copied != nil {
		err = a.m.copied(ctx, &copied)
	}
	return copied, err
}

func (a acrossMutant) CopyPart(ctx context.Context, from string, r backend.CopyRange, u backend.PartUpload, number int) (backend.Part, error) {
	if a.m.part != nil {
		a.m.part(&from, &r)
	}
	if w, ok := u.(*uploadMutant); ok {
		u = w.PartUpload
	}
	return a.PartCopier.CopyPart(ctx, from, r, u, number)
}

// acrossMutants are broken in copying between stores, and in their checksums.
var acrossMutants = []mutation{
	{"a copy across stores drops metadata", "copy-across", func(m *mutant) {
		m.copied = func(ctx context.Context, o *backend.Object) (err error) {
			_, r, err := m.Backend.Open(ctx, o.Key, backend.OpenOptions{})
			if err != nil {
				return err
			}
			data := make([]byte, 1000)
			_, err = r.Read(data)
			if err = errors.Join(err, r.Close()); err == nil {
				*o, err = m.Backend.Put(ctx, o.Key, backend.Bytes(data), backend.PutOptions{})
			}
			return err
		}
	}},
	{"a copy across stores names no tag", "copy-across", func(m *mutant) {
		m.copied = func(_ context.Context, o *backend.Object) error { o.Tag = ""; return nil }
	}},
	{"FromMatch ignored across stores", "copy-across-from-match", func(m *mutant) {
		m.across = func(_ *string, o *backend.CopyOptions) { o.FromMatch = "" }
	}},
	{"FromStamp ignored across stores", "copy-across-from-stamp", func(m *mutant) {
		m.across = func(_ *string, o *backend.CopyOptions) { o.FromStamp = "" }
	}},
	{"a part copied from the beginning", "copy-across-parts", func(m *mutant) {
		m.part = func(_ *string, r *backend.CopyRange) { r.Offset = 0 }
	}},
	{"a part copied from any version", "copy-across-parts", func(m *mutant) {
		m.part = func(_ *string, r *backend.CopyRange) { r.Match = "" }
	}},
	{"one checksum for all", "checksum", func(m *mutant) {
		m.stat = func(ctx context.Context, key string) (backend.Object, error) {
			o, err := m.Backend.Stat(ctx, key)
			o.Checksum = "same"
			return o, err
		}
	}},
	{"an absent object copied as nothing", "copy-across-from-match", func(m *mutant) {
		m.across = func(from *string, o *backend.CopyOptions) {
			if _, err := m.Backend.Stat(context.Background(), *from); errors.Is(err, fs.ErrNotExist) {
				_, _ = m.Backend.Put(context.Background(), *from, backend.Bytes(nil), backend.PutOptions{})
				o.FromMatch, o.FromStamp = "", ""
			}
		}
	}},
}
