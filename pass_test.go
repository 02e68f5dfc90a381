package replication

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/memory"
)

func TestFirstPassCopiesAndTheSecondCostsListingsAlone(t *testing.T) {
	w := newWorld(t)
	for _, key := range []string{"a", "a-b", "a/b", "a/b/c", "empty", "ü"} {
		w.put(w.source, key, strings.TrimPrefix(key, "empty"))
	}
	w.put(w.source, "large", strings.Repeat("x", maxBuffered+1))
	res := w.mustSync()
	require.EqualValues(t, 7, res.Synced)
	w.requireEqual()
	puts := 0
	for _, op := range w.destination.calls() {
		require.Contains(t, []string{"list", "put"}, op)
		if op == "put" {
			puts++
		}
	}
	require.Equal(t, 7, puts)
	w.requireQuiet()
}

func TestChangesAndDeletesAreReplicated(t *testing.T) {
	w := newWorld(t)
	for _, key := range []string{"a", "b", "c", "d", "e"} {
		w.put(w.source, key, "1")
	}
	w.mustSync()
	w.put(w.source, "b", "2") // the same size
	w.remove(w.source, "c")
	w.put(w.source, "f", "new")
	res := w.mustSync()
	require.EqualValues(t, 2, res.Synced)
	require.EqualValues(t, 1, res.Deleted)
	require.EqualValues(t, 3, res.Skipped)
	w.requireEqual()
	w.requireQuiet()
}

func TestMetadataTravelsAndReservedNamesStayBehind(t *testing.T) {
	w := newWorld(t)
	want := backend.Metadata{ContentType: "text/plain", CacheControl: "no-store", User: map[string]string{"a": "b"}}
	sent := want.Clone()
	sent.User[markerKey] = "1 another 1 t s op"
	sent.User[backend.ReservedPrefix+"x"] = "y"
	_, err := w.source.Store.Put(t.Context(), "k", backend.Bytes([]byte("v")), backend.PutOptions{Metadata: sent})
	require.NoError(t, err)
	w.mustSync()
	o, err := w.destination.Store.Stat(t.Context(), "k")
	require.NoError(t, err)
	mk, ok := readMarker(o.Metadata)
	require.True(t, ok)
	require.Equal(t, "p", mk.policy)
	require.Equal(t, want, travelling(o.Metadata))
	require.Len(t, o.Metadata.User, 2)
}

func TestAMarkerThatDoesNotFitIsLeftOut(t *testing.T) {
	w := newWorld(t, memory.WithProperties(func(p *backend.Properties) { p.MaxMetadata = 20 }))
	_, err := w.source.Store.Put(t.Context(), "k", backend.Bytes([]byte("v")),
		backend.PutOptions{Metadata: backend.Metadata{User: map[string]string{"a": "b"}}})
	require.NoError(t, err)
	require.EqualValues(t, 1, w.mustSync().Synced)
	w.requireQuiet()
}

func TestALostLedgerIsRebuiltWithoutCopying(t *testing.T) {
	w := newWorld(t)
	for i := range 10 {
		w.put(w.source, fmt.Sprint(i), "content")
	}
	w.mustSync()
	w.loseLedger()
	w.put(w.source, "3", "changed")
	w.destination.calls()
	res := w.mustSync()
	require.EqualValues(t, 9, res.Adopted)
	require.EqualValues(t, 1, res.Synced)
	w.requireEqual()
	w.requireQuiet()
	// What was adopted by its marker is ours, and follows the source.
	w.remove(w.source, "5")
	require.EqualValues(t, 1, w.mustSync().Deleted)
}

func TestAnObjectLostAtTheDestinationIsCopiedAgain(t *testing.T) {
	w := newWorld(t)
	w.put(w.source, "k", "source")
	w.mustSync()
	w.remove(w.destination, "k")
	require.EqualValues(t, 1, w.mustSync().Synced)
	w.requireEqual()
}

func TestTheFingerprintIsOfTheVersionThatWasRead(t *testing.T) {
	w := newWorld(t)
	w.put(w.source, "k", "1")
	// The source moves between the listing and the reading.
	w.source.before = firstly("open", func() { w.put(w.source, "k", "2") })
	require.EqualValues(t, 1, w.mustSync().Synced)
	require.Equal(t, []string{"k=2"}, w.contents(w.destination))
	w.requireQuiet()
	// And between the reading and the writing.
	w.put(w.source, "k", "3")
	w.destination.before = firstly("put", func() { w.put(w.source, "k", "4") })
	w.mustSync()
	require.Equal(t, []string{"k=3"}, w.contents(w.destination))
	require.EqualValues(t, 1, w.mustSync().Synced, "the later version is not taken for the one copied")
	w.requireEqual()
}

func TestAStampAloneMeansALookAndNoCopy(t *testing.T) {
	w := newWorld(t)
	stamp := "1"
	w.source.stamp = func(string) string { return stamp }
	w.put(w.source, "k", "v")
	w.put(w.source, "large", strings.Repeat("x", maxBuffered+1))
	w.mustSync()
	w.requireQuiet()

	stamp = "2"
	w.destination.calls()
	res := w.mustSync()
	require.Zero(t, res.Synced)
	require.EqualValues(t, 2, res.Skipped)
	require.NotContains(t, w.destination.calls(), "put")
	w.requireQuiet()
}

func TestASourceThatVanishesDuringThePassIsNoFailure(t *testing.T) {
	w := newWorld(t)
	w.put(w.source, "k", "1")
	w.put(w.source, "l", "1")
	w.source.before = func(op, key string) error {
		if op == "open" && key == "k" {
			w.remove(w.source, "k")
		}
		return nil
	}
	res := w.mustSync()
	require.EqualValues(t, 1, res.Synced)
	w.source.before = nil
	w.requireEqual()
}

// An auditTrail keeps what was done.
type auditTrail struct {
	mu      sync.Mutex
	actions []AuditAction
}

func (a *auditTrail) Record(_ context.Context, r AuditRecord) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.actions = append(a.actions, r.Action)
	return nil
}

func TestPrefixesMapKeys(t *testing.T) {
	for _, c := range []struct{ from, to, want string }{
		{"", "", "logs/a=1 other=1"},
		{"logs/", "", "logs/a=1"},
		{"logs/", "/", "a=1"},
		{"logs/", "copy/", "copy/a=1"},
		{"", "copy/", "copy/logs/a=1 copy/other=1"},
	} {
		t.Run(c.from+" to "+c.to, func(t *testing.T) {
			w := newWorld(t)
			w.put(w.source, "logs/a", "1")
			w.put(w.source, "other", "1")
			w.policy.SourcePrefix, w.policy.DestinationPrefix = c.from, c.to
			w.mustSync()
			require.Equal(t, c.want, strings.Join(w.contents(w.destination), " "))
			w.requireQuiet()
		})
	}
}

func TestWhatIsExcludedIsLeftAlone(t *testing.T) {
	w := newWorld(t)
	for _, key := range []string{"a.jpg", "b.txt", "d/c.jpg", "d/tmp/x.jpg"} {
		w.put(w.source, key, "1")
	}
	w.policy.Include = []string{"**/*.jpg"}
	w.policy.Exclude = []string{"**/tmp/**"}
	w.mustSync()
	require.Equal(t, []string{"a.jpg=1", "d/c.jpg=1"}, w.contents(w.destination))
	w.policy.Exclude = []string{"d/**"}
	require.Zero(t, w.mustSync().Deleted, "an exclusion deletes nothing")
	require.Len(t, w.contents(w.destination), 2)
}

func TestTwoPassesOfOnePolicyDoNotRunTogether(t *testing.T) {
	w := newWorld(t)
	w.put(w.source, "k", "v")
	var inner error
	w.destination.before = func(op, _ string) error {
		if op == "put" {
			_, inner = w.r.Sync(t.Context(), w.policy)
		}
		return nil
	}
	w.mustSync()
	require.ErrorIs(t, inner, ErrLocked)
	var locked *LockedError
	require.True(t, errors.As(inner, &locked))
	require.Contains(t, locked.Error(), "process ")
}

func TestWeakStoresWorkAndSayWhatIsWeaker(t *testing.T) {
	w := newWorld(t, memory.WithProperties(func(p *backend.Properties) {
		p.Put, p.Delete = backend.Conditions{}, backend.Conditions{}
	}))
	require.NoError(t, w.r.AddPolicy(t.Context(), w.policy))
	w.put(w.source, "a", "1")
	w.put(w.source, "b", "1")
	w.mustSync()
	w.put(w.source, "a", "2")
	w.remove(w.source, "b")
	w.mustSync()
	w.requireEqual()
	status, err := w.r.Status(t.Context(), "p")
	require.NoError(t, err)
	require.Len(t, status.Weaker, 3)
}

func TestAnUnorderedStoreIsRefused(t *testing.T) {
	w := newWorld(t, memory.WithProperties(func(p *backend.Properties) { p.Ordered = false }))
	_, err := w.sync()
	require.ErrorIs(t, err, errors.ErrUnsupported)
	require.ErrorContains(t, err, "key order")
}

func TestAPolicyThatEnablesEncryptionIsRefused(t *testing.T) {
	w := newWorld(t)
	w.put(w.source, "k", "secret")
	w.policy.Encryption.Destination = EncryptionLayer{Enabled: true, Provider: "builtin", DefaultKey: "k1"}
	_, err := w.sync()
	require.ErrorIs(t, err, ErrEncryptionUnavailable)
	require.Empty(t, w.contents(w.destination))
}

func TestProgressMovesWithTheBytesAndEndsWithThePass(t *testing.T) {
	w := newWorld(t)
	w.put(w.source, "large", strings.Repeat("x", 5*progressStep))
	w.put(w.source, "small", "x")
	w.mustSync()
	partly := false
	for _, e := range w.events {
		partly = partly || e.Type == EventProgress && e.Progress.DoneBytes > 0 && e.Progress.DoneBytes < 5*progressStep
	}
	require.True(t, partly, "an event within the large object")
	last := w.events[len(w.events)-1]
	require.Equal(t, EventFinished, last.Type)
	require.Equal(t, Progress{
		Listed: 2, ListingDone: true, Planned: 2, PlannedBytes: 5*progressStep + 1, Done: 2, DoneBytes: 5*progressStep + 1,
	}, last.Progress)
}
