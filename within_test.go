package replication

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/memory"
)

// What one service has both sides of is copied by one request an object, and
// nothing is read, by the first pass and by later ones.
func TestAServiceCopiesByItself(t *testing.T) {
	w := newWithinWorld(t)
	for i := range 50 {
		w.put(w.source, fmt.Sprintf("k%02d", i), strings.Repeat("x", i))
	}
	res := w.mustSync()
	require.EqualValues(t, 50, res.Synced)
	require.EqualValues(t, 50*49/2, res.BytesTotal)
	require.Equal(t, res.BytesTotal, res.BytesInStore)
	made := requestsOf(w.destination)
	require.Equal(t, Requests{Put: 50, List: made.List}, made)
	require.Zero(t, requestsOf(w.source).Get+requestsOf(w.source).Head)
	w.requireEqual()
	w.requireQuiet()
	require.Empty(t, w.intentFiles())

	w.put(w.source, "k07", "changed")
	w.remove(w.source, "k08")
	w.source.calls()
	w.destination.calls()
	res = w.mustSync()
	require.EqualValues(t, 1, res.Synced)
	require.EqualValues(t, 1, res.Deleted)
	made = requestsOf(w.destination)
	require.Equal(t, Requests{Put: 1, Delete: 1, List: made.List}, made)
	w.requireEqual()
	w.requireQuiet()
}

// Two stores that are of no one service go through the client as ever.
func TestOnlyOneServiceCopiesByItself(t *testing.T) {
	w := newWorld(t)
	w.put(w.source, "a", "1")
	res := w.mustSync()
	require.Zero(t, res.BytesInStore)
	require.NotContains(t, w.destination.calls(), "copy")
}

// The copy goes with the conditions on both of its ends: what changes between the
// listing and the copy is neither copied nor overwritten unseen.
func TestACopyKeepsToWhatWasListed(t *testing.T) {
	t.Run("the source moves", func(t *testing.T) {
		w := newWithinWorld(t)
		w.put(w.source, "a", "old")
		w.destination.before = firstly("copy", func() { w.put(w.source, "a", "newer") })
		w.mustSync()
		require.Equal(t, []string{"a=newer"}, w.contents(w.destination))
		w.requireQuiet()
	})
	t.Run("the source goes", func(t *testing.T) {
		w := newWithinWorld(t)
		w.put(w.source, "a", "old")
		w.put(w.source, "b", "old")
		w.destination.before = firstly("copy", func() { w.remove(w.source, "a"); w.remove(w.source, "b") })
		w.mustSync()
		require.Empty(t, w.contents(w.destination))
	})
	t.Run("the stamp moves", func(t *testing.T) {
		w := newWithinWorld(t)
		stamp := "1"
		w.source.stamp = func(string) string { return stamp }
		w.put(w.source, "a", "old")
		w.destination.before = firstly("copy", func() { stamp = "2" })
		w.mustSync()
		require.Contains(t, w.destination.calls(), "put", "it went through the client")
		w.requireQuiet()
	})
	t.Run("somebody creates", func(t *testing.T) {
		w := newWithinWorld(t)
		w.put(w.source, "a", "ours")
		w.destination.before = firstly("copy", func() { w.put(w.destination, "a", "theirs") })
		_, err := w.sync()
		require.ErrorIs(t, err, ErrForeignObject)
		require.Equal(t, []string{"a=theirs"}, w.contents(w.destination))
	})
	for name, opt := range map[string]memory.Option{"": func(*memory.Store) {}, ", with blind copies": memory.WithProperties(blindCopies)} {
		t.Run("somebody replaces"+name, func(t *testing.T) {
			w := newWithinWorld(t, opt)
			w.put(w.source, "a", "ours")
			w.mustSync()
			w.put(w.source, "a", "ours again")
			op := "copy"
			if name != "" {
				op = "stat" // it is looked at just before
			}
			w.destination.before = firstly(op, func() { w.put(w.destination, "a", "theirs") })
			_, err := w.sync()
			require.ErrorIs(t, err, ErrDrift)
			require.Equal(t, []string{"a=theirs"}, w.contents(w.destination))
		})
	}
}

// A store that cannot hold the target still is looked at before a replacement, and
// says what it does not do.
func TestBlindCopiesLookBeforeTheyReplace(t *testing.T) {
	w := newWithinWorld(t, memory.WithProperties(blindCopies))
	require.NoError(t, w.r.AddPolicy(t.Context(), w.policy))
	w.put(w.source, "a", "1")
	w.mustSync()
	require.Zero(t, requestsOf(w.destination).Head, "what is created goes on the word of the listing")
	w.put(w.source, "a", "2")
	w.destination.calls()
	w.mustSync()
	require.Equal(t, []string{"stat", "copy"}, slices.DeleteFunc(w.destination.calls(), func(op string) bool { return op == "list" }))
	require.Len(t, w.weaker(), 2)
	require.Contains(t, w.weaker()[0], "by a copy within the store")
}

// An answer that is lost is looked for by what was written down: the object is the
// policy's own, and goes when its source goes.
func TestALostAnswerToACopyIsFound(t *testing.T) {
	for name, hook := range map[string]func(w *world){
		"lost once":      func(w *world) { w.destination.after = failOnce("copy", backend.ErrUnavailable) },
		"never answered": func(w *world) { w.destination.after = failAlways("copy", backend.ErrUnavailable) },
		"unheard of":     func(w *world) { w.destination.after = failAlways("copy", fmt.Errorf("unheard of")) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWithinWorld(t)
			w.put(w.source, "a", "1")
			w.put(w.source, "b", "22")
			hook(w)
			w.mustSync()
			require.NotContains(t, w.source.calls(), "open")
			w.destination.after = nil
			w.remove(w.source, "a")
			w.mustSync(ForceDeletes())
			w.requireEqual()
			w.requireQuiet()
		})
	}
}

func failAlways(op string, err error) func(op, key string) error {
	return func(o, _ string) error {
		if o == op {
			return err
		}
		return nil
	}
}

// killed runs a pass that is killed when it has made so many copies.
func (w *world) killed(copies int) {
	w.t.Helper()
	ctx, cancel := context.WithCancel(w.t.Context())
	defer cancel()
	dir := filepath.Join(w.r.config.stateDir, policyDir("p"))
	dirs := []string{filepath.Join(dir, intentsDir), filepath.Join(dir, ledgerDir)}
	var written []map[string][]byte
	var mu sync.Mutex
	w.destination.after = func(op, _ string) error {
		mu.Lock()
		defer mu.Unlock()
		if op == "copy" {
			if copies--; copies <= 0 {
				for _, dir := range dirs[len(written):] {
					written = append(written, readFiles(dir)) // as they are when a killed process ends
				}
				cancel()
				return context.Canceled
			}
		}
		return nil
	}
	_, err := w.r.Sync(ctx, w.policy)
	require.Error(w.t, err)
	w.destination.after = nil
	for i, dir := range dirs {
		writeFiles(dir, written[i])
	}
	w.reopen()
}

// What a pass that was killed had copied is the policy's own: it is not copied
// again, and goes when its source goes, or is replaced when that changes.
func TestCopiesOfAKilledPassAreOurs(t *testing.T) {
	w := newWithinWorld(t)
	for i := range 20 {
		w.put(w.source, fmt.Sprintf("k%02d", i), fmt.Sprint("value ", i))
	}
	w.killed(12)
	there := w.contents(w.destination)
	require.GreaterOrEqual(t, len(there), 12)
	require.NotEmpty(t, w.intentFiles())

	first, second, third := there[0][:3], there[1][:3], there[2][:3]
	w.remove(w.source, first)
	w.put(w.source, second, "changed")
	w.put(w.destination, third, "theirs!")
	w.destination.calls()
	w.source.calls()
	res, err := w.sync(ForceDeletes())
	require.ErrorIs(t, err, ErrObjectsFailed)
	require.EqualValues(t, 1, res.Failed, "what somebody put there since is theirs")
	require.EqualValues(t, 1, res.Deleted)
	require.EqualValues(t, 20-len(there)+1, res.Synced)
	w.put(w.destination, third, fmt.Sprint("value ", 2))
	w.mustSync()
	w.requireEqual()
	w.requireQuiet()
	require.Empty(t, w.intentFiles())
}

// What has the bytes that are to be copied, and that nobody was about to copy, is
// adopted without being read, and never deleted.
func TestAnEqualObjectThatNobodyCopiedIsAdopted(t *testing.T) {
	w := newWithinWorld(t)
	w.put(w.source, "a", "same")
	w.put(w.source, "b", "other")
	w.put(w.destination, "a", "same")
	res := w.mustSync()
	require.EqualValues(t, 1, res.Adopted)
	require.NotContains(t, w.source.calls(), "open", "the checksums say so")
	w.remove(w.source, "a")
	w.mustSync(ForceDeletes())
	require.Equal(t, []string{"a=same", "b=other"}, w.contents(w.destination))
}

// A marker that came along with a copy proves nothing: neither that of this policy
// from where it wrote to before, nor to a pass in doubt.
func TestAMarkerThatWasCopiedAlongProvesNothing(t *testing.T) {
	w := newWithinWorld(t)
	chained := marker{policy: "p", source: fingerprint{size: 4, tag: "1"}, operation: "op", place: markedPlace(w.source.Properties().Location, "gone")}
	put := func(h *hooked, key, data string) {
		_, err := h.Store.Put(t.Context(), key, backend.Bytes([]byte(data)),
			backend.PutOptions{Metadata: backend.Metadata{User: map[string]string{markerKey: chained.String()}}})
		require.NoError(t, err)
	}
	put(w.destination, "gone", "copy")
	put(w.destination, "there", "copy")
	put(w.source, "there", "mine")
	require.NoError(t, (&doubt{state: w.openState(t)}).raise(t.Context()))
	_, err := w.sync(ForceDeletes())
	require.ErrorIs(t, err, ErrForeignObject)
	require.Equal(t, []string{"gone=copy", "there=copy"}, w.contents(w.destination))
}

func (w *world) openState(t *testing.T) *policyState {
	dir := w.r.config.stateDir + "/" + policyDir("p")
	s, err := localState(t.Context(), dir, backend.Settings{"create": "true", "durability": "none"})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// Credentials that may not read the source by way of the store read it as ever;
// each pass tries once or so, and not every object.
func TestACopyThatIsForbiddenGoesThroughTheClient(t *testing.T) {
	for _, class := range []error{fs.ErrPermission, errors.ErrUnsupported} {
		w := newWithinWorld(t)
		for i := range 100 {
			w.put(w.source, fmt.Sprintf("k%02d", i), "x")
		}
		w.destination.before = failAlways("copy", class)
		res := w.mustSync()
		require.EqualValues(t, 100, res.Synced)
		require.Zero(t, res.BytesInStore)
		require.LessOrEqual(t, count(w.destination.calls(), "copy"), 4, "the workers that were under way")
		w.requireEqual()
		w.requireQuiet()
	}
}

// One object that the store will not copy says nothing of the others.
func TestOneObjectThatIsNotCopiedIsAlone(t *testing.T) {
	w := newWithinWorld(t)
	w.r.config.concurrency = 1
	for i := range 10 {
		w.put(w.source, fmt.Sprintf("k%02d", i), "x")
	}
	w.destination.before = func(op, key string) error {
		if op == "copy" && key == "k05" {
			return fs.ErrPermission
		}
		return nil
	}
	res := w.mustSync()
	require.EqualValues(t, 10, res.Synced)
	require.EqualValues(t, 9, res.BytesInStore)
}

// Nothing is copied before it is written down.
func TestCopiesAreWrittenDownBefore(t *testing.T) {
	w := newWithinWorld(t)
	for i := range 300 {
		w.put(w.source, fmt.Sprintf("k%03d", i), "x")
	}
	state := w.openState(t)
	var unwritten atomic.Int64
	w.destination.before = func(op, key string) error {
		if op == "copy" {
			is, err := openIntents(t.Context(), state, w.destination.Properties().Location, true)
			if err != nil {
				return nil // the directory was listed as files came and went
			}
			if written, err := is.of(t.Context(), key); err != nil || len(written) == 0 {
				unwritten.Add(1)
			}
		}
		return nil
	}
	w.mustSync()
	require.Zero(t, unwritten.Load())
}

// What the store has copied has no marker by which its copy in the trash is known
// when an answer is lost; its checksum and metadata tell.
func TestALostAnswerOfTheTrashIsFoundWithoutAMarker(t *testing.T) {
	w := newWithinWorld(t)
	w.policy.TrashPrefix, w.policy.MaxDelete = ".trash/", "off"
	w.put(w.source, "a", "1")
	w.put(w.source, "b", "2")
	w.mustSync()
	w.remove(w.source, "a")
	w.destination.after = failOnce("copy", backend.ErrUnavailable)
	res := w.mustSync()
	require.EqualValues(t, 1, res.Deleted)
	there := w.contents(w.destination)
	require.Len(t, there, 2)
	require.Regexp(t, `^\.trash/\d+T\d+Z/a=1$`, there[0])
	require.Equal(t, "b=2", there[1])
}

// A copy whose answer was lost, made once more and then again by the first request,
// which no condition holds back, is the policy's own under its third tag.
func TestACopyThatComesLateIsKnown(t *testing.T) {
	w := newWithinWorld(t, memory.WithProperties(blindCopies))
	w.put(w.source, "a", "1")
	w.destination.before = failOnce("copy", backend.ErrUnavailable)
	w.mustSync()
	w.put(w.destination, "a", "1")
	w.put(w.source, "a", "2")
	w.mustSync()
	w.requireEqual()
	w.requireQuiet()
}

// An object that cannot be read in any way says nothing of the others either.
func TestAnObjectThatNobodyCanReadIsAlone(t *testing.T) {
	w := newWithinWorld(t)
	for i := range 10 {
		w.put(w.source, fmt.Sprintf("k%02d", i), "x")
	}
	forbidden := func(op, key string) error {
		if key == "k00" && (op == "copy" || op == "open") {
			return fs.ErrPermission
		}
		return nil
	}
	w.source.before, w.destination.before = forbidden, forbidden
	res, err := w.sync()
	require.ErrorIs(t, err, fs.ErrPermission)
	require.EqualValues(t, 1, res.Failed)
	require.EqualValues(t, 9, res.BytesInStore)
}

// Intents stay while the deletions that they justify are held back, or fail.
func TestIntentsStayWhileADeletionNeedsThem(t *testing.T) {
	for _, why := range []string{"held back", "failing"} {
		w := newWithinWorld(t, memory.WithProperties(blindCopies))
		w.put(w.source, "a", "1")
		w.put(w.source, "b", "1")
		w.destination.before = failOnce("copy", backend.ErrUnavailable)
		w.r.config.concurrency = 1
		w.mustSync()
		w.put(w.destination, "a", "1") // the first request, late
		w.remove(w.source, "a")
		if why == "held back" {
			w.policy.MaxDelete = "0"
			_, err := w.sync()
			require.ErrorIs(t, err, ErrBrake)
		} else {
			w.policy.MaxDelete = "off"
			w.destination.before = failAlways("delete", fs.ErrPermission)
			_, err := w.sync()
			require.ErrorIs(t, err, fs.ErrPermission)
			w.destination.before = nil
		}
		w.policy.MaxDelete = "off"
		w.mustSync()
		w.requireEqual()
		w.requireQuiet()
		require.Empty(t, w.intentFiles(), why)
	}
}
