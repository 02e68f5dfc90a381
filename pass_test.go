package replication

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

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

func TestForeignObjectsAreReportedAndNeverTouched(t *testing.T) {
	w := newWorld(t)
	w.put(w.source, "mine", "source")
	w.put(w.source, "taken", "source")
	w.put(w.destination, "taken", "somebody's")
	w.put(w.destination, "other", "somebody's")
	res, err := w.sync()
	require.ErrorIs(t, err, ErrObjectsFailed)
	require.ErrorIs(t, err, ErrForeignObject)
	require.EqualValues(t, 1, res.Failed)
	require.Equal(t, "taken", res.Errors[0].Key)
	require.Equal(t, []string{"mine=source", "other=somebody's", "taken=somebody's"}, w.contents(w.destination))

	w.policy.Foreign = Overwrite
	require.EqualValues(t, 1, w.mustSync().Synced)
	require.Equal(t, []string{"mine=source", "other=somebody's", "taken=source"}, w.contents(w.destination))
}

func TestAnEqualForeignObjectIsAdoptedFollowedAndNeverDeleted(t *testing.T) {
	w := newWorld(t)
	w.put(w.source, "k", "same")
	w.put(w.source, "l", "other")
	w.put(w.destination, "k", "same")
	res := w.mustSync()
	require.EqualValues(t, 1, res.Adopted)
	w.requireQuiet()
	w.put(w.source, "k", "next")
	require.EqualValues(t, 1, w.mustSync().Synced)
	w.requireEqual()
	w.remove(w.source, "k")
	require.Zero(t, w.mustSync().Deleted, "also after it was brought up to date")
	require.Contains(t, w.contents(w.destination), "k=next")

	w.put(w.source, "m", "same")
	w.put(w.destination, "m", "same")
	w.mustSync()
	w.remove(w.source, "m")
	require.Zero(t, w.mustSync().Deleted)
	require.Contains(t, w.contents(w.destination), "m=same")
}

func TestDriftIsReportedOrRepairedAsThePolicySays(t *testing.T) {
	w := newWorld(t)
	w.put(w.source, "k", "source")
	w.mustSync()
	w.put(w.destination, "k", "tampered")
	_, err := w.sync()
	require.ErrorIs(t, err, ErrDrift)
	require.Equal(t, []string{"k=tampered"}, w.contents(w.destination))

	w.policy.Drift = Overwrite
	require.EqualValues(t, 1, w.mustSync().Synced)
	w.requireEqual()
	w.requireQuiet()
}

func TestAnObjectLostAtTheDestinationIsCopiedAgain(t *testing.T) {
	w := newWorld(t)
	w.put(w.source, "k", "source")
	w.mustSync()
	w.remove(w.destination, "k")
	require.EqualValues(t, 1, w.mustSync().Synced)
	w.requireEqual()
}

func TestAReplacedObjectIsNotDeletedWithItsSource(t *testing.T) {
	w := newWorld(t)
	w.put(w.source, "k", "1")
	w.put(w.source, "l", "1")
	w.mustSync()
	w.remove(w.source, "k")
	w.put(w.destination, "k", "somebody's")
	require.Zero(t, w.mustSync().Deleted)
	require.Equal(t, []string{"k=somebody's", "l=1"}, w.contents(w.destination))
	w.requireQuiet()
}

func TestNothingIsDeletedWhenAListingFailsOrTheSourceIsEmpty(t *testing.T) {
	w := newWorld(t)
	for i := range 10 {
		w.put(w.source, fmt.Sprint(i), "x")
	}
	w.mustSync()
	for i := range 10 {
		w.remove(w.source, fmt.Sprint(i))
	}
	_, err := w.sync()
	require.ErrorIs(t, err, ErrEmptySource)
	require.Len(t, w.contents(w.destination), 10)

	w.put(w.source, "0", "x")
	for _, side := range []*hooked{w.source, w.destination} {
		var lists atomic.Int64
		side.before = func(op, _ string) error {
			if op == "list" && lists.Add(1) >= 1 {
				return backend.ErrUnavailable
			}
			return nil
		}
		_, err = w.sync()
		require.ErrorIs(t, err, backend.ErrUnavailable)
		require.Len(t, w.contents(w.destination), 10)
		side.before = nil
	}
	require.EqualValues(t, 9, w.mustSync().Deleted)
	w.requireEqual()
}

func TestTheBrakeStopsDeletionsButNotCopies(t *testing.T) {
	w := newWorld(t)
	w.policy.MaxDelete = "3"
	for i := range 10 {
		w.put(w.source, fmt.Sprint(i), "x")
	}
	w.mustSync()
	for i := range 4 {
		w.remove(w.source, fmt.Sprint(i))
	}
	w.put(w.source, "new", "y")
	res, err := w.sync()
	require.ErrorIs(t, err, ErrBrake)
	require.EqualValues(t, 1, res.Synced)
	require.Zero(t, res.Deleted)
	require.EqualValues(t, 4, w.mustSync(ForceDeletes()).Deleted)
	w.requireEqual()
}

func TestDeletesKeepLeavesEverything(t *testing.T) {
	w := newWorld(t)
	w.policy.Deletes = KeepDeleted
	w.put(w.source, "a", "1")
	w.put(w.source, "b", "1")
	w.mustSync()
	w.remove(w.source, "a")
	require.Zero(t, w.mustSync().Deleted)
	require.Equal(t, []string{"a=1", "b=1"}, w.contents(w.destination))
	w.policy.Deletes = PropagateDeletes
	require.EqualValues(t, 1, w.mustSync().Deleted)
}

func TestASourceErrorIsNotAnAbsentObject(t *testing.T) {
	w := newWorld(t)
	w.put(w.source, "a", "1")
	w.put(w.source, "b", "1")
	w.mustSync()
	w.put(w.source, "a", "2")
	w.source.before = func(op, key string) error {
		if op == "open" {
			return fs.ErrPermission
		}
		return nil
	}
	res, err := w.sync()
	require.ErrorIs(t, err, fs.ErrPermission)
	require.EqualValues(t, 1, res.Failed)
	require.Equal(t, []string{"a=1", "b=1"}, w.contents(w.destination))
	w.source.before = nil
	w.mustSync()
	w.requireEqual()
}

func TestALostAnswerIsRecognisedAsOurOwnWrite(t *testing.T) {
	w := newWorld(t)
	w.put(w.source, "k", "v")
	w.destination.after = func(op, _ string) error {
		if op == "put" {
			return backend.ErrUnavailable
		}
		return nil
	}
	w.destination.calls()
	require.EqualValues(t, 1, w.mustSync().Synced)
	puts := 0
	for _, op := range w.destination.calls() {
		if op == "put" {
			puts++
		}
	}
	require.Equal(t, 1, puts, "written once, though the answer was lost")
	w.destination.after = nil
	w.requireEqual()
	w.requireQuiet()
}

func TestAPassingFailureIsRetried(t *testing.T) {
	w := newWorld(t)
	w.r.again.attempts = 10 // one copy makes several calls, and each fails once
	for i := range 20 {
		w.put(w.source, fmt.Sprint(i), "v")
	}
	for _, side := range []*hooked{w.source, w.destination} {
		var failed sync.Map
		side.before = func(op, key string) error {
			if _, again := failed.LoadOrStore(op+" "+key, true); !again {
				return backend.ErrThrottled
			}
			return nil
		}
	}
	require.Zero(t, w.mustSync().Failed)
	w.source.before, w.destination.before = nil, nil
	w.requireEqual()
	w.requireQuiet()
}

func TestANewerVersionAtTheDestinationIsNotOverwritten(t *testing.T) {
	w := newWorld(t)
	w.put(w.source, "k", "1")
	w.mustSync()
	w.put(w.source, "k", "2")
	// Somebody writes between our reading and our writing.
	w.destination.before = firstly("put", func() { w.put(w.destination, "k", "theirs") })
	_, err := w.sync()
	require.ErrorIs(t, err, ErrDrift)
	require.Equal(t, []string{"k=theirs"}, w.contents(w.destination))
}

func TestACreationThatLosesTheRaceIsAConflict(t *testing.T) {
	w := newWorld(t)
	w.put(w.source, "k", "1")
	w.destination.before = firstly("put", func() { w.put(w.destination, "k", "theirs") })
	_, err := w.sync()
	require.ErrorIs(t, err, ErrForeignObject)
	require.Equal(t, []string{"k=theirs"}, w.contents(w.destination))
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

func TestAnObjectThatComesBackDuringItsDeletionIsCopiedAgain(t *testing.T) {
	w := newWorld(t)
	w.put(w.source, "k", "1")
	w.put(w.source, "l", "1")
	w.mustSync()
	w.remove(w.source, "k")
	w.destination.before = func(op, key string) error {
		if op == "delete" {
			w.put(w.source, "k", "back")
		}
		return nil
	}
	log := &auditTrail{}
	w.r.config.audit = log
	res := w.mustSync()
	require.EqualValues(t, 1, res.Deleted)
	require.EqualValues(t, 1, res.Synced)
	require.Equal(t, []AuditAction{AuditPassStarted, AuditObjectDeleted, AuditObjectWritten, AuditPassFinished}, log.actions)
	w.requireEqual()
	w.destination.before = nil
	w.requireQuiet()
}

func TestADeletionWhoseAnswerIsLostIsNoConflict(t *testing.T) {
	for _, lost := range []int64{1, 3} { // of the three attempts
		w := newWorld(t)
		w.put(w.source, "k", "1")
		w.put(w.source, "l", "1")
		w.mustSync()
		w.remove(w.source, "k")
		var deletes atomic.Int64
		w.destination.before = func(op, _ string) error {
			if op == "delete" && deletes.Add(1) < lost {
				return backend.ErrUnavailable
			}
			return nil
		}
		w.destination.after = func(op, _ string) error {
			if op == "delete" {
				return backend.ErrUnavailable
			}
			return nil
		}
		require.EqualValues(t, 1, w.mustSync().Deleted)
		w.requireEqual()
	}
}

// What a killed pass wrote is the policy's, also when it is gone from the
// source before the next pass lists it.
func TestAnObjectThatOnlyAKilledPassKnewIsDeletedWithItsSource(t *testing.T) {
	w := newWorld(t)
	w.put(w.source, "k", "1")
	w.put(w.source, "l", "1")
	w.put(w.destination, "other", "somebody's")
	killed := filepath.Join(t.TempDir(), "state")
	w.destination.after = func(op, key string) error {
		if op == "put" && key == "k" {
			return os.CopyFS(killed, os.DirFS(w.r.config.stateDir))
		}
		return nil
	}
	w.mustSync()
	w.destination.after = nil
	w.restart(killed)
	w.remove(w.source, "k")
	require.EqualValues(t, 1, w.mustSync().Deleted)
	require.Equal(t, []string{"l=1", "other=somebody's"}, w.contents(w.destination))
	w.requireQuiet()
}

// Likewise where the answer of a write is lost, and nobody can look.
func TestAWriteOfUnknownOutcomeIsLookedForLater(t *testing.T) {
	w := newWorld(t)
	w.put(w.source, "k", "1")
	w.put(w.source, "l", "1")
	w.destination.after = func(op, key string) error {
		if key == "k" && op != "list" {
			return backend.ErrUnavailable
		}
		return nil
	}
	_, err := w.sync()
	require.ErrorIs(t, err, ErrObjectsFailed)
	w.destination.after = nil
	w.remove(w.source, "k")
	require.EqualValues(t, 1, w.mustSync().Deleted)
	require.Equal(t, []string{"l=1"}, w.contents(w.destination))
	w.requireQuiet()
}

// The source goes away between a write that arrives late and its repetition.
func TestAWriteThatArrivesAfterItsSourceHasGoneIsFound(t *testing.T) {
	w := newWorld(t)
	w.put(w.source, "k", "1")
	w.put(w.source, "l", "1")
	var late backend.PutOptions
	w.destination.putting = func(key string, opts backend.PutOptions) error {
		if key != "k" {
			return nil
		}
		late = opts
		w.remove(w.source, "k")
		return backend.ErrUnavailable
	}
	w.mustSync()
	w.destination.putting = nil
	_, err := w.destination.Store.Put(t.Context(), "k", backend.Bytes([]byte("1")), late)
	require.NoError(t, err)
	require.EqualValues(t, 1, w.mustSync().Deleted)
	require.Equal(t, []string{"l=1"}, w.contents(w.destination))
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

// The source is listed, the key comes back at both sides, and only then is the
// destination listed.
func TestAnObjectThatIsNewerThanTheListingThatLacksItIsNotDeleted(t *testing.T) {
	w := newWorld(t)
	w.put(w.source, "k", "1")
	w.put(w.source, "l", "1")
	w.mustSync()
	ours, err := w.destination.Store.Stat(t.Context(), "k")
	require.NoError(t, err)
	w.remove(w.source, "k")
	listed := make(chan struct{})
	var pages, once atomic.Int64
	w.source.before = func(op, _ string) error {
		if op == "list" && pages.Add(1) == 2 { // the end
			close(listed)
		}
		return nil
	}
	w.destination.listing = func() {
		if once.Add(1) > 1 {
			return
		}
		<-listed
		w.put(w.source, "k", "1")
		_, err := w.destination.Store.Put(t.Context(), "k", backend.Bytes([]byte("1")), backend.PutOptions{Metadata: *ours.Metadata})
		require.NoError(t, err)
	}
	w.destination.calls()
	w.mustSync()
	require.NotContains(t, w.destination.calls(), "delete")
	w.source.before, w.destination.listing = nil, nil
	w.mustSync()
	w.requireEqual()
	w.requireQuiet()
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

func TestACancelledPassKeepsWhatItDid(t *testing.T) {
	w := newWorld(t)
	for i := range 50 {
		w.put(w.source, fmt.Sprintf("%02d", i), "v")
	}
	ctx, cancel := context.WithCancel(t.Context())
	var puts atomic.Int64
	w.destination.after = func(op, _ string) error {
		if op == "put" && puts.Add(1) == 20 {
			cancel()
		}
		return nil
	}
	res, err := w.r.Sync(ctx, w.policy)
	require.ErrorIs(t, err, context.Canceled)
	require.Zero(t, res.Failed, "an interruption is no failure of an object")
	require.GreaterOrEqual(t, res.Synced, int64(1))
	w.destination.after = nil
	again := w.mustSync()
	require.EqualValues(t, 50, again.Synced+again.Adopted+again.Skipped)
	require.Equal(t, 50, w.destination.Store.Len())
	w.requireQuiet()
}

func TestAnOutageStopsThePassInsteadOfFailingEveryObject(t *testing.T) {
	w := newWorld(t)
	for i := range 500 {
		w.put(w.source, fmt.Sprintf("%03d", i), "v")
	}
	w.destination.before = func(op, _ string) error {
		if op == "put" || op == "stat" {
			return backend.ErrUnavailable
		}
		return nil
	}
	res, err := w.sync()
	require.ErrorIs(t, err, backend.ErrUnavailable)
	require.Less(t, res.Failed, int64(100))
	w.destination.before = nil
	w.mustSync()
	w.requireEqual()
}

func TestOneBadObjectDoesNotStopTheOthers(t *testing.T) {
	w := newWorld(t)
	for i := range 300 {
		w.put(w.source, fmt.Sprintf("%03d", i), "v")
	}
	w.destination.before = func(op, key string) error {
		if op == "put" && key < "150" {
			return fmt.Errorf("%w: no such name here", backend.ErrInvalidKey)
		}
		return nil
	}
	res, err := w.sync()
	require.ErrorIs(t, err, ErrObjectsFailed)
	require.EqualValues(t, 150, res.Failed)
	require.EqualValues(t, 150, res.Synced)
	require.Len(t, res.Errors, maxResultErrors)
	require.FileExists(t, res.FailuresFile)
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

func TestAMarkerBesideOtherBytesIsNotBelieved(t *testing.T) {
	w := newWorld(t)
	w.put(w.source, "k", "source")
	w.mustSync()
	there, err := w.destination.Store.Stat(t.Context(), "k")
	require.NoError(t, err)
	_, err = w.destination.Store.Put(t.Context(), "k", backend.Bytes([]byte("longer than the source")), backend.PutOptions{Metadata: *there.Metadata})
	require.NoError(t, err)
	_, err = w.sync()
	require.ErrorIs(t, err, ErrDrift)
	require.Equal(t, []string{"k=longer than the source"}, w.contents(w.destination))
}

func TestAPassWaitsForAStoreThatGoesAwayAndFailsNothing(t *testing.T) {
	w := newWorld(t)
	w.patience = time.Hour
	w.restart(w.r.config.stateDir)
	for i := range 100 {
		w.put(w.source, fmt.Sprintf("%03d", i), "v")
	}
	var calls atomic.Int64
	w.destination.before = func(op, _ string) error {
		// Gone after some writes, and back when it was asked for often enough.
		if n := calls.Add(1); n > 30 && n < 60 && op != "list" {
			return backend.ErrUnavailable
		}
		return nil
	}
	require.EqualValues(t, 100, w.mustSync().Synced)
	w.destination.before = nil
	w.requireEqual()
	w.requireQuiet()
}

// The ledger knows the key, but what stands there is somebody else's copy of a
// version that this policy never wrote.
func TestADriftedObjectThatEqualsAnotherVersionIsNotDeletedWithItsSource(t *testing.T) {
	w := newWorld(t)
	w.put(w.source, "k", "1")
	w.put(w.source, "l", "1")
	w.mustSync()
	w.put(w.source, "k", "2")
	w.put(w.destination, "k", "2")
	require.EqualValues(t, 1, w.mustSync().Adopted)
	w.remove(w.source, "k")
	require.Zero(t, w.mustSync().Deleted)
	require.Equal(t, []string{"k=2", "l=1"}, w.contents(w.destination))
}
