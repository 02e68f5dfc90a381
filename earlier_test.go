package replication

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
)

// intendedFiles writes so many files of intents, each of so many keys, as passes that
// were killed leave them.
func (w *world) intendedFiles(files, each int) (keys []string) {
	is, err := openIntents(w.t.Context(), w.openState(w.t), w.destination.Properties().Location, false)
	require.NoError(w.t, err)
	for f := range files {
		var some []intent
		for range each {
			n := len(keys)
			keys = append(keys, fmt.Sprintf("data/some/directory/of/objects/file-%09d.bin", n))
			some = append(some, intent{Key: keys[n], Size: 1 << 20, Tag: fmt.Sprintf("%032x", n), Checksum: fmt.Sprintf("%032x", n)})
		}
		require.NoError(w.t, is.note(w.t.Context(), fmt.Sprintf("killed-%d.json", f), some))
	}
	return keys
}

// However many passes were killed, what they meant to copy is not in memory all at
// once. Five of them leave up to 441,344 intents.
func TestIntentsOfKilledPassesAreNotInMemory(t *testing.T) {
	const kills = 5
	w := newWithinWorld(t)
	keys := w.intendedFiles(kills*lanes*(checkpointOutcomes+window/lanes)/maxIntents, maxIntents)
	state := w.openState(t)
	heap := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := heap()
	is, err := openIntents(t.Context(), state, w.destination.Properties().Location, true)
	require.NoError(t, err)
	for n := 0; n < len(keys); n += 1000 {
		_, ours, err := is.made(t.Context(), backend.Object{Key: keys[n], Size: 1 << 20, Checksum: fmt.Sprintf("%032x", n)})
		require.NoError(t, err)
		require.True(t, ours)
	}
	used := heap() - before
	t.Logf("%d intents: %d KiB", len(keys), used>>10)
	require.Less(t, used, int64(12<<20))
	runtime.KeepAlive(is)
	runtime.KeepAlive(keys)
}

// What is settled is forgotten for good, and what is not is written anew before its
// file goes.
func TestSettledKeysLeaveTheirFiles(t *testing.T) {
	w := newWithinWorld(t)
	keys := w.intendedFiles(3, 4)
	state, next := w.openState(t), 0
	name := func() string { next++; return fmt.Sprintf("rest-%d.json", next) }
	open := func() *intents {
		is, err := openIntents(t.Context(), state, w.destination.Properties().Location, true)
		require.NoError(t, err)
		return is
	}
	require.NoError(t, open().earlier.settle(t.Context(), nil, name))
	require.Len(t, w.intentFiles(), 3)
	is := open()
	settled := []string{keys[7], keys[6], keys[5], keys[4], keys[1], "never noted"}
	require.NoError(t, is.earlier.settle(t.Context(), settled, name))
	require.Equal(t, []string{"killed-2.json", "rest-1.json"}, w.intentFiles())
	for _, is := range []*intents{is, open()} {
		for _, key := range keys {
			left, err := is.of(t.Context(), key)
			require.NoError(t, err)
			require.Equal(t, !slices.Contains(settled, key), len(left) == 1, key)
		}
	}
}

// Wherever it is cut short, nothing is lost that is not settled.
func TestSettlingThatIsCutShortLosesNothing(t *testing.T) {
	for op, rest := range map[string]int{"put": 1, "delete": 2} {
		t.Run(op, func(t *testing.T) {
			w := newWithinWorld(t)
			keys := w.intendedFiles(1, 4)
			state := w.openState(t)
			is, err := openIntents(t.Context(), state, w.destination.Properties().Location, true)
			require.NoError(t, err)
			whole := state.Backend
			state.Backend = cutShort{whole, op}
			name := func() string { return "rest.json" }
			require.ErrorIs(t, is.earlier.settle(t.Context(), keys[:2], name), fs.ErrPermission)
			state.Backend = whole
			require.Len(t, w.intentFiles(), rest)
			is, err = openIntents(t.Context(), state, w.destination.Properties().Location, true)
			require.NoError(t, err)
			for _, key := range keys[2:] {
				left, err := is.of(t.Context(), key)
				require.NoError(t, err)
				require.NotEmpty(t, left, key)
			}
			require.NoError(t, is.earlier.settle(t.Context(), keys, name))
			require.Empty(t, w.intentFiles())
		})
	}
}

// cutShort fails one operation.
type cutShort struct {
	backend.Backend
	op string
}

func (c cutShort) Put(ctx context.Context, key string, body backend.Body, opts backend.PutOptions) (backend.Object, error) {
	if c.op == "put" {
		return backend.Object{}, fs.ErrPermission
	}
	return c.Backend.Put(ctx, key, body, opts)
}

func (c cutShort) Delete(ctx context.Context, key string, opts backend.DeleteOptions) error {
	if c.op == "delete" {
		return fs.ErrPermission
	}
	return c.Backend.Delete(ctx, key, opts)
}

// A pass that comes to a checkpoint takes what is in the ledger then out of the files
// of passes before it, although it does not come to its end either. What is claimed
// stays until it is deleted.
func TestACheckpointSettlesWhatEarlierPassesMeant(t *testing.T) {
	w := newWithinWorld(t)
	w.policy.MaxDelete = "off"
	for i := range 20 {
		w.put(w.source, fmt.Sprintf("k%02d", i), fmt.Sprint("value ", i))
	}
	w.r.shards, w.policy.Concurrency = 1, 1 // so that the first are copied, and none is committed
	w.killed(12)
	w.remove(w.source, "k03")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	w.destination.before = func(op, key string) error {
		if op == "delete" && key == "k03" {
			cancel()
			return context.Canceled
		}
		return nil
	}
	_, err := w.r.Sync(ctx, w.policy)
	require.ErrorIs(t, err, context.Canceled)
	w.destination.before = nil
	is, err := openIntents(t.Context(), w.openState(t), w.destination.Properties().Location, true)
	require.NoError(t, err)
	for i := range 20 {
		left, err := is.of(t.Context(), fmt.Sprintf("k%02d", i))
		require.NoError(t, err)
		require.Equal(t, i == 3, len(left) > 0, i)
	}
	w.mustSync()
	w.requireEqual()
	require.Empty(t, w.intentFiles())
}

// Intents that cannot be read make nobody's object foreign, and none of the policy's
// stay for good.
func TestIntentsThatCannotBeReadFailTheObject(t *testing.T) {
	w := newWithinWorld(t)
	for i := range 6 {
		w.put(w.source, fmt.Sprintf("k%02d", i), fmt.Sprint("value ", i))
	}
	w.r.shards, w.policy.Concurrency = 1, 1
	w.killed(2)
	w.remove(w.source, "k00")
	dir := filepath.Join(w.r.config.stateDir, policyDir("p"), intentsDir)
	files := readFiles(dir)
	w.destination.before = firstly("list", func() {
		for name := range files {
			if !strings.HasSuffix(name, "-1.json") { // that of k00
				continue
			}
			require.NoError(t, os.Truncate(filepath.Join(dir, name), maxStateObject+1))
		}
	})
	_, err := w.sync()
	require.ErrorIs(t, err, ErrObjectsFailed)
	require.NotErrorIs(t, err, ErrForeignObject)
	writeFiles(dir, files)
	w.mustSync()
	w.requireEqual()
}

// Of a batch that is committed only what was lost, and not found since, is kept.
func TestOnlyLostIntentsOutliveTheirBatch(t *testing.T) {
	w := newWithinWorld(t)
	state := w.openState(t)
	all := []intent{{Key: "a"}, {Key: "b"}, {Key: "c"}}
	is, err := openIntents(t.Context(), state, w.destination.Properties().Location, false)
	require.NoError(t, err)
	require.NoError(t, is.note(t.Context(), "batch.json", all))
	is.lose(all[0])
	is.lose(all[1])
	is.found("a")
	batch := intentBatch{name: "batch.json", first: "a", last: "c", until: "c"}
	require.NoError(t, is.forget(t.Context(), []intentBatch{batch}, func() string { return "lost.json" }))
	require.Equal(t, []string{"lost.json"}, w.intentFiles())
	kept, err := is.read(t.Context(), "lost.json")
	require.NoError(t, err)
	require.Equal(t, all[1:2], kept)
}
