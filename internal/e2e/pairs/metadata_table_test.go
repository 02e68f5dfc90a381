package pairs

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication"
	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/internal/testutil"
)

// nothing is the cell of a store in which there is nothing of the kind.
const nothing = "–"

// A column is one store of the table in docs/METADATA.md.
type column struct {
	t        *testing.T // of the cell
	r        *replication.Replicator
	driver   string
	settings map[string]string
	native   nativeStore // the store without this library; nil where it has no other
	prefix   string      // of the cell
}

// columns open the stores, by the name of their driver.
var columns = map[string]func(t *testing.T) (map[string]string, nativeStore){
	"local":  func(t *testing.T) (map[string]string, nativeStore) { return directory(t.TempDir()), nil },
	"memory": func(*testing.T) (map[string]string, nativeStore) { return map[string]string{"name": "store"}, nil },
	"s3": func(t *testing.T) (map[string]string, nativeStore) {
		return nativeBucket(t, testutil.SharedVersityGW(t))
	},
	"minio": func(t *testing.T) (map[string]string, nativeStore) {
		return nativeBucket(t, testutil.SharedMinIO(t))
	},
	"gcs": func(t *testing.T) (map[string]string, nativeStore) {
		server := testutil.SharedFakeGCS(t)
		settings := map[string]string{"bucket": server.NewGCSBucket(t), "endpoint": server.Endpoint}
		return settings, nativeGCS(settings)
	},
	"azblob": func(t *testing.T) (map[string]string, nativeStore) {
		server := testutil.SharedAzurite(t)
		settings := map[string]string{
			"containerName": server.NewContainer(t), "accountName": server.AccessKey,
			"accountKey": server.SecretKey, "endpoint": server.Endpoint + "/" + server.AccessKey,
		}
		return settings, newNativeAzure(t, settings)
	},
}

// Each cell of the table is a subtest of what its first words say, and each
// subtest has a cell.
func TestMetadataIsKeptAsTheTableSays(t *testing.T) {
	names, table := metadataTable(t)
	require.ElementsMatch(t, slices.Collect(maps.Keys(columns)), names)
	require.ElementsMatch(t, slices.Collect(maps.Keys(metadataRows)), slices.Collect(maps.Keys(table)), "rows that are tested, rows of the table")
	for row, meanings := range metadataRows {
		for word := range meanings {
			require.Contains(t, slices.Collect(maps.Values(table[row])), word, "%s: no cell has this word", row)
		}
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			settings, native := columns[name](t)
			r := replicator(t)
			for i, row := range slices.Sorted(maps.Keys(table)) {
				word := table[row][name]
				test, tested := metadataRows[row][word]
				if word == nothing && !tested {
					continue
				}
				t.Run(row, func(t *testing.T) {
					require.True(t, tested, "nothing tests %q", word)
					test(&column{t, r, name, settings, native, "cell" + string(rune('a'+i/26)) + string(rune('a'+i%26)) + "/"})
				})
			}
		})
	}
}

// metadataTable reads the table: the names of its columns, and of each row the
// first words of each cell, up to a semicolon.
func metadataTable(t *testing.T) (names []string, table map[string]map[string]string) {
	t.Helper()
	document, err := os.ReadFile("../../../docs/METADATA.md")
	require.NoError(t, err)
	table = map[string]map[string]string{}
	for line := range strings.Lines(string(document)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		for i := range cells {
			word, _, _ := strings.Cut(cells[i], ";")
			cells[i] = strings.TrimSpace(word)
		}
		switch {
		case cells[0] == "what" && names == nil:
			names = cells[1:]
		case names == nil || !strings.HasPrefix(line, "|") || strings.HasPrefix(cells[0], "---"):
			if names != nil && len(table) > 0 {
				return names, table // the first table alone
			}
		default:
			require.Len(t, cells, len(names)+1, "row %q", cells[0])
			require.NotContains(t, table, cells[0])
			table[cells[0]] = map[string]string{}
			for i, name := range names {
				table[cells[0]][name] = cells[i+1]
			}
		}
	}
	return names, table
}

// store opens the store of the column.
func (c *column) store() backend.Backend { return c.open(c.driver, c.settings) }

// memory opens a store in memory, which keeps everything.
func (c *column) memory(name string) backend.Backend {
	return c.open("memory", map[string]string{"name": name})
}

func (c *column) open(driver string, settings map[string]string) backend.Backend {
	c.t.Helper()
	b, err := c.r.OpenBackend(c.t.Context(), driver, settings)
	require.NoError(c.t, err)
	c.t.Cleanup(func() { require.NoError(c.t, b.Close()) })
	return b
}

// put writes an object "x" below the cell's prefix.
func (c *column) put(b backend.Backend, opts backend.PutOptions) {
	c.t.Helper()
	_, err := b.Put(c.t.Context(), c.prefix+"x", backend.Bytes([]byte("content")), opts)
	require.NoError(c.t, err)
}

func (c *column) stat(b backend.Backend) backend.Object {
	c.t.Helper()
	o, err := b.Stat(c.t.Context(), c.prefix+"x")
	require.NoError(c.t, err)
	return o
}

// policy copies what is below the cell's prefix.
func (c *column) policy(id, source string, sourceSettings map[string]string, destination string, destinationSettings map[string]string) replication.Policy {
	return replication.Policy{
		ID: c.driver + "/" + strings.TrimSuffix(c.prefix, "/") + "/" + id, SourcePrefix: c.prefix,
		SourceBackend: source, SourceSettings: sourceSettings,
		DestinationBackend: destination, DestinationSettings: destinationSettings,
	}
}

// there is the policy from the memory "source" to the store, and back the one
// from there to the memory "back".
func (c *column) there() replication.Policy {
	return c.policy("there", "memory", map[string]string{"name": "source"}, c.driver, c.settings)
}

func (c *column) back() replication.Policy {
	return c.policy("back", c.driver, c.settings, "memory", map[string]string{"name": "back"})
}

func (c *column) sync(p replication.Policy) {
	c.t.Helper()
	res, err := c.r.Sync(c.t.Context(), p)
	require.NoError(c.t, err)
	require.Positive(c.t, res.Synced)
}

// fails wants a policy to copy an object beside "x" and to fail with that alone,
// naming the policy, the backend, the key and the words.
func (c *column) fails(p replication.Policy, driver string, words ...string) {
	c.t.Helper()
	res, err := c.r.Sync(c.t.Context(), p)
	require.ErrorIs(c.t, err, replication.ErrObjectsFailed)
	require.EqualValues(c.t, 1, res.Failed)
	require.Positive(c.t, res.Synced, "all others go on")
	require.Len(c.t, res.Errors, 1)
	require.Equal(c.t, c.prefix+"x", res.Errors[0].Key)
	for _, word := range append(words, p.ID, driver, c.prefix+"x") {
		require.ErrorContains(c.t, err, word)
	}
	listed, err := os.ReadFile(res.FailuresFile)
	require.NoError(c.t, err)
	require.Contains(c.t, string(listed), c.prefix+"x")
}

// beside writes another object next to "x".
func (c *column) beside(b backend.Backend) {
	c.t.Helper()
	_, err := b.Put(c.t.Context(), c.prefix+"y", backend.Bytes([]byte("content")), backend.PutOptions{})
	require.NoError(c.t, err)
}
