package backendtest_test

import (
	"context"
	"errors"
	"maps"

	"github.com/objrepl/replication/backend"
)

func (m *mutant) ObjectTags(ctx context.Context, key string) (map[string]string, error) {
	tagger, ok := backend.As[backend.ObjectTagger](m.Backend)
	if !ok {
		return nil, failure("tags", key, errors.ErrUnsupported)
	}
	tags, err := tagger.ObjectTags(ctx, key)
	if m.tags != nil {
		tags = m.tags(tags)
	}
	return tags, err
}

// writes changes the options of every Put.
func (m *mutant) writes(change func(*backend.PutOptions)) {
	m.put = func(ctx context.Context, key string, b backend.Body, o backend.PutOptions) (backend.Object, error) {
		change(&o)
		return m.Backend.Put(ctx, key, b, o)
	}
}

var besideMutants = []mutation{
	{"object tags dropped in silence", "object-tags", func(m *mutant) {
		m.writes(func(o *backend.PutOptions) { o.ObjectTags = nil })
	}},
	{"object tags without empty values", "object-tags", func(m *mutant) {
		m.tags = func(tags map[string]string) map[string]string {
			maps.DeleteFunc(tags, func(_, value string) bool { return value == "" })
			return tags
		}
	}},
	{"object tags counted wrong", "object-tags", func(m *mutant) {
		m.objects(func(o *backend.Object) { o.ObjectTags++ })
	}},
	{"old object tags kept", "object-tags-replaced", func(m *mutant) {
		m.writes(func(o *backend.PutOptions) {
			if o.ObjectTags != nil {
				o.ObjectTags = map[string]string{"old": "1", "both": o.ObjectTags["both"]}
			}
		})
	}},
	{"parts without object tags", "object-tags-parts", func(m *mutant) {
		m.upload = func(opts *backend.PartsOptions, _ *uploadMutant) { opts.ObjectTags = nil }
	}},
	{"another class", "class", func(m *mutant) {
		m.writes(func(o *backend.PutOptions) {
			if o.Class != "" {
				o.Class = "OTHER"
			}
		})
	}},
	{"a class dropped in silence where there is none", "class", func(m *mutant) {
		m.properties = func(p backend.Properties) backend.Properties { p.CheckClass = nil; return p }
	}},
	{"two answers about the class", "class", func(m *mutant) {
		m.objects(func(o *backend.Object) { o.Class = "OTHER" })
	}},
	{"parts of another class", "class-parts", func(m *mutant) {
		m.upload = func(opts *backend.PartsOptions, _ *uploadMutant) { opts.Class = "OTHER" }
	}},
}
