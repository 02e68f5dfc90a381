package replication

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
)

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
