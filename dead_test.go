package replication

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
)

// refusing makes writes of one key fail for good.
func (w *world) refusing(key string) {
	w.destination.before = func(op, k string) error {
		if op == "put" && k == key {
			return backend.ErrInvalidMetadata
		}
		return nil
	}
}

func TestAnObjectThatKeepsFailingIsADeadLetterUntilItSucceeds(t *testing.T) {
	w := newWorld(t)
	require.NoError(t, w.r.AddPolicy(t.Context(), w.policy))
	w.put(w.source, "good", "1")
	w.put(w.source, "bad", "1")
	w.refusing("bad")
	for attempt := 1; attempt <= 3; attempt++ {
		_, err := w.sync()
		require.ErrorIs(t, err, ErrObjectsFailed)
		letters, err := w.r.Failures(t.Context(), "p")
		require.NoError(t, err)
		require.Len(t, letters, 1)
		d := letters[0]
		require.Equal(t, "bad", d.Key)
		require.Equal(t, attempt, d.Attempts)
		require.Contains(t, d.Reason, "invalid metadata")
		require.Equal(t, firstRetry<<(attempt-1), d.NextTry.Sub(d.Last))
		require.False(t, d.First.After(d.Last))
	}
	status, err := w.r.Status(t.Context(), "p")
	require.NoError(t, err)
	require.Equal(t, 1, status.DeadLetters)
	w.destination.before = nil
	w.mustSync()
	letters, err := w.r.Failures(t.Context(), "p")
	require.NoError(t, err)
	require.Empty(t, letters)
}

func TestReplayAsksForTheFailedObjectsAlone(t *testing.T) {
	w := newWorld(t)
	require.NoError(t, w.r.AddPolicy(t.Context(), w.policy))
	for _, k := range []string{"a", "bad", "c"} {
		w.put(w.source, k, "1")
	}
	w.refusing("bad")
	_, err := w.sync()
	require.Error(t, err)
	_, err = w.r.Replay(t.Context(), "p")
	require.ErrorIs(t, err, ErrObjectsFailed)
	letters, err := w.r.Failures(t.Context(), "p")
	require.NoError(t, err)
	require.Equal(t, 2, letters[0].Attempts)

	w.destination.before = nil
	w.remove(w.source, "a")
	w.source.calls()
	res, err := w.r.Replay(t.Context(), "p")
	require.NoError(t, err)
	require.EqualValues(t, 1, res.Synced)
	require.NotContains(t, w.source.calls(), "list")
	require.Equal(t, []string{"a=1", "bad=1", "c=1"}, w.contents(w.destination), "a is no dead letter")
	letters, err = w.r.Failures(t.Context(), "p")
	require.NoError(t, err)
	require.Empty(t, letters)
	require.EqualValues(t, 1, w.mustSync().Deleted)
	w.requireQuiet()
}

func TestAnInterruptedPassForgetsNoDeadLetter(t *testing.T) {
	w := newWorld(t)
	require.NoError(t, w.r.AddPolicy(t.Context(), w.policy))
	w.put(w.source, "bad", "1")
	w.refusing("bad")
	_, err := w.sync()
	require.Error(t, err)
	w.destination.before = func(op, _ string) error { return backend.ErrUnavailable }
	_, err = w.sync()
	require.ErrorIs(t, err, backend.ErrUnavailable)
	letters, err := w.r.Failures(t.Context(), "p")
	require.NoError(t, err)
	require.Len(t, letters, 1)
}

func TestRetriesGrowUpToADay(t *testing.T) {
	require.Equal(t, time.Minute, retryAfter(1))
	require.Equal(t, 8*time.Minute, retryAfter(4))
	require.Equal(t, lastRetry, retryAfter(12))
	require.Equal(t, lastRetry, retryAfter(1_000_000))
}
