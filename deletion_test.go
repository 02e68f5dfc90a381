package replication

import (
	"fmt"
	"io/fs"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
)

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
