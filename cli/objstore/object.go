package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/objrepl/replication"
	"github.com/objrepl/replication/backend"
)

// storeFlags say which store put, get, stat, list and delete work on.
type storeFlags struct {
	backend  string
	settings settingsFlag
}

func (s *storeFlags) add(cmd *cobra.Command) {
	s.addTo(cmd.Flags())
	need(cmd, "backend")
}

func (s *storeFlags) addTo(f *pflag.FlagSet) {
	f.SortFlags = false
	f.StringVar(&s.backend, "backend", "", "driver or configured `BACKEND`: "+driverNames())
	f.Var(&s.settings, "setting", "setting of the backend; repeatable; secrets as NAME=env:VAR or NAME=file:PATH")
}

// withStore opens the store, runs f and closes it again.
func (a *app) withStore(cmd *cobra.Command, s *storeFlags, f func(context.Context, backend.Backend) error) error {
	if err := a.checkStore(cmd, s); err != nil {
		return err
	}
	return a.with(cmd.Context(), func(ctx context.Context, r *replication.Replicator) error {
		b, err := r.OpenBackend(ctx, s.backend, s.settings)
		if err != nil {
			return err
		}
		return withError(f(ctx, b), b.Close())
	})
}

// checkStore makes usage errors of what can be told without opening the store.
func (a *app) checkStore(cmd *cobra.Command, s *storeFlags) error {
	if d, ok := drivers()[s.backend]; ok {
		if err := d.Schema().Validate(s.settings); err != nil {
			return usagef(helpHint(cmd), "backend %s: %w", s.backend, err)
		}
	} else if a.config == "" {
		return usagef("a backend of your own needs --config", "unknown backend %q; there are %s", s.backend, driverNames())
	}
	a.warnOfSecrets(s.backend, s.settings)
	return nil
}

// objectDocument is what put, stat and list print of an object.
type objectDocument struct {
	Key      string    `json:"key"`
	Size     int64     `json:"size"`
	Tag      string    `json:"tag,omitempty"`
	Modified time.Time `json:"modified,omitzero"`
	// StorageClass is in the store's own word, where it has classes.
	StorageClass string            `json:"storage_class,omitempty"`
	Metadata     *metadataDocument `json:"metadata,omitempty"`
	// ObjectTagCount is how many object tags the store says there are, and
	// ObjectTags, which takes a request of its own, what they are.
	ObjectTagCount int               `json:"object_tag_count,omitempty"`
	ObjectTags     map[string]string `json:"object_tags,omitempty"`
	// Problem: the entry cannot be read as an object.
	Problem string `json:"problem,omitempty"`
}

type metadataDocument struct {
	ContentType        string            `json:"content_type,omitempty"`
	ContentEncoding    string            `json:"content_encoding,omitempty"`
	ContentLanguage    string            `json:"content_language,omitempty"`
	ContentDisposition string            `json:"content_disposition,omitempty"`
	CacheControl       string            `json:"cache_control,omitempty"`
	ModTime            time.Time         `json:"mod_time,omitzero"`
	User               map[string]string `json:"user,omitempty"`
}

func document(o backend.Object) objectDocument {
	d := objectDocument{Key: o.Key, Size: o.Size, Tag: string(o.Tag), Modified: o.Modified, StorageClass: o.Class, ObjectTagCount: o.ObjectTags}
	if m := o.Metadata; m != nil {
		d.Metadata = &metadataDocument{
			m.ContentType, m.ContentEncoding, m.ContentLanguage, m.ContentDisposition,
			m.CacheControl, m.ModTime, m.User,
		}
	}
	if o.Problem != nil {
		d.Problem = o.Problem.Error()
	}
	return d
}
