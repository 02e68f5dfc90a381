package replication

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
)

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
