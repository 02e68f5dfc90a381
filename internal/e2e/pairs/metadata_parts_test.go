package pairs

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication"
	"github.com/objrepl/replication/backend"
)

// What stands beside an object goes to the store when its upload begins, or, as
// in Azure, when it is complete.
func TestObjectsInPartsKeepWhatStandsBesideThem(t *testing.T) {
	data := bytes.Repeat([]byte("0123456789abcdef"), 11<<16) // 11 MiB, three parts
	m := backend.Metadata{
		ContentType: "text/plain", ContentEncoding: "br", ContentLanguage: "de", ContentDisposition: "inline", CacheControl: "no-cache",
		ModTime: time.Unix(1_700_000_000, 5), User: map[string]string{"a-b": "Grüße"},
	}
	tags := map[string]string{"team": "blue"}
	for driver, class := range classes {
		t.Run(driver, func(t *testing.T) {
			settings, native := columns[driver](t)
			r := replicator(t,
				replication.WithPartThreshold(5<<20), replication.WithPartSize(5<<20))
			c := &column{t, r, driver, settings, native, "large/"}
			_, err := c.memory("source").Put(t.Context(), "large/x", backend.Bytes(data), backend.PutOptions{Metadata: m, ObjectTags: tags})
			require.NoError(t, err)
			_, tagged := backend.As[backend.ObjectTagger](c.store())
			for _, p := range []replication.Policy{c.there(), c.back()} {
				p.ObjectTags = tagged
				if p.DestinationBackend == driver {
					p.StorageClass = map[string]string{"*": class}
				}
				c.sync(p)
			}
			require.Equal(t, class, c.stat(c.store()).Class)
			back := c.stat(c.memory("back"))
			delete(back.Metadata.User, "objrepl-marker")
			require.True(t, m.ModTime.Equal(back.Metadata.ModTime))
			back.Metadata.ModTime = m.ModTime
			require.Equal(t, m, *back.Metadata)
			if tagged {
				tagger, _ := backend.As[backend.ObjectTagger](c.memory("back"))
				got, err := tagger.ObjectTags(t.Context(), "large/x")
				require.NoError(t, err)
				require.Equal(t, tags, got)
			}
		})
	}
}
