package backendtest_test

import (
	"context"
	"errors"
	"time"

	"github.com/objrepl/replication/backend"
)

// ListUploads passes on what the backend behind lists, or what uploads made of
// it.
func (m *mutant) ListUploads(ctx context.Context, key string) ([]backend.Upload, error) {
	lister, ok := backend.As[backend.UploadLister](m.Backend)
	switch {
	case !ok:
		return nil, failure("list uploads", key, errors.ErrUnsupported)
	case m.noUploads != nil:
		return nil, failure("list uploads", key, m.noUploads)
	case m.uploads != nil:
		return m.uploads(key), nil
	}
	return lister.ListUploads(ctx, key)
}

// sound lists the uploads of a key as they are.
func (m *mutant) sound(key string) []backend.Upload {
	lister, _ := backend.As[backend.UploadLister](m.Backend)
	out, _ := lister.ListUploads(context.Background(), key)
	return out
}

// uploadMutants are broken in the list of uploads.
var uploadMutants = []mutation{
	{"uploads without parts left out", "uploads", func(m *mutant) {
		m.uploads = func(key string) (out []backend.Upload) {
			uploader, _ := backend.As[backend.PartUploader](m.Backend)
			for _, u := range m.sound(key) {
				p, err := uploader.UploadParts(context.Background(), key, backend.PartsOptions{ID: u.ID})
				if err != nil {
					continue
				}
				if parts, _ := p.Parts(context.Background()); len(parts) > 0 {
					out = append(out, u)
				}
			}
			return out
		}
	}},
	{"one upload of a key alone", "uploads", func(m *mutant) {
		m.uploads = func(key string) []backend.Upload {
			all := m.sound(key)
			return all[:min(len(all), 1)]
		}
	}},
	{"uploads listed when they are gone", "uploads", func(m *mutant) {
		ever := map[string]bool{}
		m.uploads = func(key string) (out []backend.Upload) {
			for _, u := range m.sound(key) {
				ever[u.ID] = true
			}
			for id := range ever {
				out = append(out, backend.Upload{ID: id})
			}
			return out
		}
	}},
	{"ids that nobody knows", "uploads", func(m *mutant) {
		m.uploads = func(key string) []backend.Upload {
			out := m.sound(key)
			for i := range out {
				out[i].ID += "0"
			}
			return out
		}
	}},
	{"a key taken for a prefix", "uploads-key", func(m *mutant) {
		m.uploads = func(key string) []backend.Upload { return append(m.sound(key), m.sound(key+"a")...) }
	}},
	{"a key with its escapes undone", "uploads-key", func(m *mutant) {
		m.uploads = func(key string) []backend.Upload {
			if n := len(key); n > 3 && key[n-2:] == "+b" {
				return m.sound(key[:n-2] + " b")
			}
			return m.sound(key)
		}
	}},
	{"uploads begun long ago", "uploads-begun", func(m *mutant) {
		m.uploads = func(key string) []backend.Upload {
			out := m.sound(key)
			for i := range out {
				out[i].Begun = out[i].Begun.Add(-24 * time.Hour)
			}
			return out
		}
	}},
}
