package replication

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/memory"
)

// Tags of the policy's own, or of somebody else: they are in the trash too.
func TestObjectTagsGoAlongToTheTrash(t *testing.T) {
	tags := map[string]string{"a": "b", "c": ""}
	for name, c := range map[string]struct {
		change func(*backend.Properties)
		refuse error
		want   map[string]string
	}{
		"through the client":   {change: func(p *backend.Properties) { p.MaxCopy = 1 }, want: tags},
		"in parts":             {change: func(p *backend.Properties) { p.MaxCopy, p.MaxPut = 1, 5 }, want: tags},
		"that may not be read": {change: func(p *backend.Properties) { p.MaxCopy = 1 }, refuse: fs.ErrPermission},
		"of a server without":  {change: func(p *backend.Properties) { p.MaxCopy = 1 }, refuse: errors.ErrUnsupported},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.destination.Store = memory.NewBackend(memory.WithProperties(c.change))
			silent := tagless{hooked: w.destination, err: c.refuse}
			w.wrap = func(h *hooked) backend.Backend { return silent }
			w.policy.ObjectTags, w.policy.TrashPrefix, w.policy.MaxDelete = true, ".trash/", "off"
			_, err := w.source.Store.Put(t.Context(), "tagged", backend.Bytes([]byte("content")), backend.PutOptions{ObjectTags: tags})
			require.NoError(t, err)
			w.put(w.source, "stays", "1")
			w.mustSync()
			w.remove(w.source, "tagged")
			if errors.Is(c.refuse, fs.ErrPermission) {
				_, err := w.sync()
				require.ErrorIs(t, err, fs.ErrPermission, "it is known to have some, so that it stays")
				require.Contains(t, w.contents(w.destination), "tagged=content")
				w.destination.describe = func(o *backend.Object) { o.ObjectTags = 0 }
			}
			require.EqualValues(t, 1, w.mustSync().Deleted)
			i := slices.IndexFunc(w.contents(w.destination), func(s string) bool { return strings.HasPrefix(s, ".trash/") })
			key, _, _ := strings.Cut(w.contents(w.destination)[i], "=")
			got, err := w.destination.Store.ObjectTags(t.Context(), key)
			require.NoError(t, err)
			require.Equal(t, len(c.want), len(got))
			for k, v := range c.want {
				require.Equal(t, v, got[k])
			}
		})
	}
}

// tagless is a destination whose object tags cannot be read.
type tagless struct {
	*hooked
	err error
}

func (s tagless) ObjectTags(ctx context.Context, key string) (map[string]string, error) {
	if s.err != nil {
		return nil, &backend.Error{Op: "read object tags", Backend: "test", Key: key, Err: s.err}
	}
	return s.hooked.ObjectTags(ctx, key)
}
