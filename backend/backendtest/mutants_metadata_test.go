package backendtest_test

import (
	"context"
	"io"
	"maps"
	"strings"
	"time"

	"github.com/objrepl/replication/backend"
)

// metadataMutants are broken in metadata.
var metadataMutants = []mutation{
	{"content type dropped", "metadata-content-type", func(m *mutant) {
		m.metadata(func(md *backend.Metadata) { md.ContentType = "" })
	}},
	{"content encoding dropped", "metadata-content-encoding", func(m *mutant) {
		m.metadata(func(md *backend.Metadata) { md.ContentEncoding = "" })
	}},
	{"content language dropped", "metadata-content-language", func(m *mutant) {
		m.metadata(func(md *backend.Metadata) { md.ContentLanguage = "" })
	}},
	{"content disposition dropped", "metadata-content-disposition", func(m *mutant) {
		m.metadata(func(md *backend.Metadata) { md.ContentDisposition = "" })
	}},
	{"cache control dropped", "metadata-cache-control", func(m *mutant) {
		m.metadata(func(md *backend.Metadata) { md.CacheControl = "" })
	}},
	{"modification times cut to microseconds", "metadata-modtime", func(m *mutant) {
		m.metadata(func(md *backend.Metadata) { md.ModTime = md.ModTime.Truncate(time.Microsecond) })
	}},
	{"modification times before 1970 mirrored", "metadata-modtime-before-1970", func(m *mutant) {
		m.metadata(func(md *backend.Metadata) {
			if md.ModTime.Unix() < 0 && !md.ModTime.IsZero() {
				md.ModTime = time.Unix(md.ModTime.Unix(), -int64(md.ModTime.Nanosecond()))
			}
		})
	}},
	{"user metadata dropped", "metadata-user", func(m *mutant) {
		m.metadata(func(md *backend.Metadata) { md.User = nil })
	}},
	{"user metadata trimmed", "metadata-user-spaces", func(m *mutant) {
		m.values(strings.TrimSpace)
	}},
	{"user metadata made ASCII", "metadata-user-unicode", func(m *mutant) {
		m.values(func(v string) string {
			return strings.Map(func(r rune) rune { return min(r, 127) }, v)
		})
	}},
	{"user metadata without empty values", "metadata-user-empty", func(m *mutant) {
		m.metadata(func(md *backend.Metadata) {
			maps.DeleteFunc(md.User, func(_, v string) bool { return v == "" })
		})
	}},
	{"user metadata on one line", "metadata-user-control", func(m *mutant) {
		m.values(func(v string) string { return strings.ReplaceAll(v, "\r\n", " ") })
	}},
	{"user metadata decoded that was never encoded", "metadata-user-encoded", func(m *mutant) {
		m.values(func(v string) string { return strings.ReplaceAll(v, "%C3%A9", "é") })
	}},
	{"dashes and underscores mixed up", "metadata-user-underscore", func(m *mutant) {
		m.metadata(func(md *backend.Metadata) {
			for k, v := range md.User {
				delete(md.User, k)
				md.User[strings.ReplaceAll(k, "-", "_")] = v
			}
		})
	}},
	{"names in upper case", "metadata-case", func(m *mutant) {
		m.objects(func(o *backend.Object) {
			if o.Metadata != nil && o.Metadata.User["mixedcase"] != "" {
				o.Metadata.User = map[string]string{"Mixedcase": o.Metadata.User["mixedcase"]}
			}
		})
	}},
	{"large objects without metadata", "metadata-large", func(m *mutant) {
		m.put = func(ctx context.Context, key string, b backend.Body, o backend.PutOptions) (backend.Object, error) {
			if b.Size > 500_000 {
				o.Metadata = backend.Metadata{}
			}
			return m.Backend.Put(ctx, key, b, o)
		}
	}},
	{"old metadata kept", "metadata-replaced", func(m *mutant) {
		m.put = func(ctx context.Context, key string, b backend.Body, o backend.PutOptions) (backend.Object, error) {
			if old, err := m.Backend.Stat(ctx, key); err == nil && old.Metadata.User["old"] != "" {
				o.Metadata = o.Metadata.Clone()
				if o.Metadata.User == nil {
					o.Metadata.User = map[string]string{}
				}
				o.Metadata.User["old"] = "1"
			}
			return m.Backend.Put(ctx, key, b, o)
		}
	}},
	{"the store shares the caller's map", "metadata-copied", func(m *mutant) {
		shared := map[string]map[string]string{}
		m.put = func(ctx context.Context, key string, b backend.Body, o backend.PutOptions) (backend.Object, error) {
			if strings.Contains(key, "copied") {
				shared[key] = o.Metadata.User
			}
			return m.Backend.Put(ctx, key, b, o)
		}
		m.objects(func(o *backend.Object) {
			if s, ok := shared[o.Key]; ok && o.Metadata != nil {
				o.Metadata.User = s
			}
		})
	}},
	{"a metadata limit that is not enforced", "metadata-limit", func(m *mutant) {
		m.properties = func(p backend.Properties) backend.Properties { p.MaxMetadata = 2048; return p }
	}},
	{"no metadata from open", "metadata-user", func(m *mutant) {
		m.open = func(ctx context.Context, key string, opts backend.OpenOptions) (backend.Object, io.ReadCloser, error) {
			o, r, err := m.Backend.Open(ctx, key, opts)
			o.Metadata = nil
			return o, r, err
		}
	}},
	{"mtime shown as the user's", "metadata-mtime-name", func(m *mutant) {
		m.put = func(ctx context.Context, key string, b backend.Body, o backend.PutOptions) (backend.Object, error) {
			delete(o.Metadata.User, backend.ModTimeKey)
			return m.Backend.Put(ctx, key, b, o)
		}
		m.objects(func(o *backend.Object) {
			if o.Metadata != nil {
				o.Metadata.User = map[string]string{backend.ModTimeKey: "1"}
			}
		})
	}},
}
