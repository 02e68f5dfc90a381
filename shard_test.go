package replication

import (
	"fmt"
	"slices"
	"sort"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/objrepl/replication/backend/memory"
)

func TestShardsCoverEveryKeyOnce(t *testing.T) {
	require.Equal(t, []shard{{}}, shardsBetween(nil))
	require.Equal(t, []shard{{until: "b"}, {after: "b", until: "d"}, {after: "d"}}, shardsBetween([]string{"b", "d"}))
	require.Equal(t, []shard{{until: "b"}, {after: "b"}}, shardsBetween([]string{"", "b", "b", "a"}))
}

// probed returns the splits of a store with the given keys, and the number of
// LIST requests that they took.
func probed(t require.TestingT, tb testing.TB, keys []string, prefix string) ([]string, int) {
	h := &hooked{Store: memory.NewBackend(memory.WithPageSize(20))}
	w := &world{t: tb.(*testing.T)}
	for _, k := range keys {
		w.put(h, prefix+k, "")
	}
	e := newEndpoint(h, "source", "test", prefix)
	splits, err := (&prober{endpoint: e, again: defaultRetrier}).splits(tb.Context(), shardsWanted)
	require.NoError(t, err)
	return splits, len(h.calls())
}

func TestAFlatDirectoryIsSplitEvenlyByFewProbes(t *testing.T) {
	var keys []string
	for i := range 5000 {
		keys = append(keys, fmt.Sprintf("img-%08d.jpg", i))
	}
	splits, requests := probed(t, t, keys, "photos/")
	require.LessOrEqual(t, requests, 60, "hooked counts a page and the end of a listing each")
	require.GreaterOrEqual(t, len(splits), shardsWanted/2)
	largest, after := 0, ""
	for _, part := range shardsBetween(splits) {
		from := sort.SearchStrings(keys, part.after+"\x00")
		to := len(keys)
		if part.until != "" {
			to = sort.SearchStrings(keys, part.until+"\x00")
		}
		if after == "" {
			from = 0
		}
		after = part.until
		largest = max(largest, to-from)
	}
	require.Less(t, largest, len(keys)/4, "%q", splits)
}

func TestASmallStoreIsNotSplit(t *testing.T) {
	splits, requests := probed(t, t, []string{"a", "b", "c"}, "")
	require.Empty(t, splits)
	require.LessOrEqual(t, requests, 3)
}

func TestProbesNeverFailWhateverTheKeys(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		keys := rapid.SliceOfNDistinct(rapid.StringMatching(`[a-c/é~ 0-9]{1,6}`), 0, 60, rapid.ID).Draw(rt, "keys")
		splits, requests := probed(rt, t, keys, "")
		require.True(rt, slices.IsSorted(splits))
		require.LessOrEqual(rt, requests, 100)
	})
}

func TestAShardedPassDoesWhatOneListingWould(t *testing.T) {
	w := newWorld(t)
	for i := range 300 {
		w.put(w.source, fmt.Sprintf("k%03d", i), fmt.Sprint(i))
	}
	w.put(w.destination, "k0075x", "somebody's")
	require.EqualValues(t, 300, w.mustSync().Synced)
	for i := range 50 {
		w.remove(w.source, fmt.Sprintf("k%03d", i*6))
	}
	w.loseLedger()
	w.put(w.source, "k001", "changed")
	res := w.mustSync()
	require.EqualValues(t, 1, res.Synced)
	require.EqualValues(t, 249, res.Adopted)
	// What the lost ledger knew of deleted objects their markers tell.
	require.EqualValues(t, 50, res.Deleted)
	require.Len(t, w.contents(w.destination), 251)
	w.requireQuiet()
}
