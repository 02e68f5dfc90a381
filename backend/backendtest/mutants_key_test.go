package backendtest_test

import (
	"context"
	"strings"

	"github.com/objrepl/replication/backend"
)

// keyMutants are broken in keys.
var keyMutants = []mutation{
	{"keys cleaned", "key-slash-double", func(m *mutant) {
		m.keys(func(key string) string { return strings.ReplaceAll(key, "//", "/") })
	}},
	{"keys decoded", "key-percent-encoded", func(m *mutant) {
		m.keys(func(key string) string { return strings.NewReplacer("%2F", "/", "%2f", "/").Replace(key) })
	}},
	{"plus is a space", "key-plus", func(m *mutant) {
		m.keys(func(key string) string { return strings.ReplaceAll(key, "+", " ") })
	}},
	{"keys trimmed", "key-space-trailing", func(m *mutant) {
		m.keys(func(key string) string { return strings.TrimRight(key, " ") })
	}},
	{"keys in one case", "key-case", func(m *mutant) {
		m.keys(strings.ToLower)
	}},
	{"keys composed", "key-composed", func(m *mutant) {
		m.keys(func(key string) string { return strings.ReplaceAll(key, "e\u0301", "\u00e9") })
	}},
	{"a query cut off", "key-question-mark", func(m *mutant) {
		m.keys(func(key string) string { key, _, _ = strings.Cut(key, "?"); return key })
	}},
	{"dots resolved", "key-dot-dot", func(m *mutant) {
		m.keys(func(key string) string { return strings.ReplaceAll(key, "a/../", "") })
	}},
	{"a long key cut off", "key-1025", func(m *mutant) {
		m.keys(func(key string) string { return key[:min(len(key), 1024)] })
	}},
	{"a refused key written all the same", "key-newline", func(m *mutant) {
		m.properties = func(p backend.Properties) backend.Properties {
			p.CheckKey = func(key string) error {
				if key == "" || strings.Contains(key, "\n") {
					return backend.ErrInvalidKey
				}
				return nil
			}
			return p
		}
	}},
	{"a refused key written and then refused", "key-hash", func(m *mutant) {
		m.put = func(ctx context.Context, key string, b backend.Body, o backend.PutOptions) (backend.Object, error) {
			obj, err := m.Backend.Put(ctx, key, b, o)
			if strings.Contains(key, "#") {
				err = failure("put", key, backend.ErrInvalidKey)
			}
			return obj, err
		}
	}},
	{"an object below another one replaces it", "key-below-object", func(m *mutant) {
		m.put = func(ctx context.Context, key string, b backend.Body, o backend.PutOptions) (backend.Object, error) {
			if i := strings.LastIndex(key, "/"); i > 0 {
				_ = m.Backend.Delete(ctx, key[:i], backend.DeleteOptions{})
			}
			return m.Backend.Put(ctx, key, b, o)
		}
	}},
}
