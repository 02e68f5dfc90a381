package replication

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
)

func TestAnObjectThatGoesBeforeItIsReadIsNoDifference(t *testing.T) {
	w := newWorld(t)
	w.put(w.source, "k", "1")
	w.mustSync()
	w.source.before = func(op, key string) error {
		if op == "open" {
			w.source.before = nil
			w.remove(w.source, "k")
			w.remove(w.destination, "k")
		}
		return nil
	}
	v, found, err := w.verify(ReadAll())
	require.NoError(t, err)
	require.Empty(t, found)
	require.Zero(t, v.Compared)
}

func TestAnObjectThatMovesWhileItIsReadIsReadAgain(t *testing.T) {
	w := newWorld(t)
	w.put(w.source, "k", "1")
	w.mustSync()
	w.source.after = func(op, key string) error {
		if op == "open" {
			w.source.after = nil
			w.put(w.source, "k", "2")
			w.put(w.destination, "k", "2")
		}
		return nil
	}
	_, found, err := w.verify(ReadAll())
	require.NoError(t, err)
	require.Empty(t, found)

	w.source.after = func(op, key string) error {
		if op == "open" {
			w.source.after = nil
			w.remove(w.source, "k")
			w.remove(w.destination, "k")
			w.put(w.destination, "k", "3")
		}
		return nil
	}
	_, found, err = w.verify(ReadAll())
	require.NoError(t, err)
	require.Empty(t, found)
}

func TestAVerificationThatCannotListIsAnErrorAndNoDifference(t *testing.T) {
	w := newWorld(t)
	w.put(w.source, "k", "1")
	w.mustSync()
	w.destination.before = func(op, _ string) error {
		if op == "list" {
			return backend.ErrUnavailable
		}
		return nil
	}
	_, found, err := w.verify()
	require.ErrorIs(t, err, backend.ErrUnavailable)
	require.NotErrorIs(t, err, ErrDifferent)
	require.Empty(t, found)
}

func TestAnOutageEndsAVerification(t *testing.T) {
	w := newWorld(t)
	for i := range 300 {
		w.put(w.source, fmt.Sprint(i), "1")
	}
	w.mustSync()
	w.destination.before = func(op, _ string) error {
		if op == "open" || op == "stat" {
			return backend.ErrUnavailable
		}
		return nil
	}
	v, _, err := w.verify(ReadAll())
	require.ErrorIs(t, err, backend.ErrUnavailable)
	require.NotErrorIs(t, err, ErrObjectsFailed)
	require.Less(t, v.Total(), int64(100))
}

func TestAVerificationEndsWithItsContextAndWithItsReport(t *testing.T) {
	w := newWorld(t)
	for i := range 100 {
		w.put(w.source, fmt.Sprint(i), "1")
	}
	w.mustSync()
	ctx, cancel := context.WithCancel(t.Context())
	w.destination.before = func(op, _ string) error {
		if op == "open" {
			cancel()
		}
		return nil
	}
	v, err := w.r.VerifyOf(ctx, w.policy, ReadAll())
	require.ErrorIs(t, err, context.Canceled)
	require.Zero(t, v.Total(), "an interruption is no finding")
	w.destination.before = nil
	w.inPlace("7", "x")
	_, err = w.r.VerifyOf(t.Context(), w.policy, ReadAll(), VerifyReportTo(full{}))
	require.ErrorIs(t, err, backend.ErrNoSpace)
}

// full is a disk without room.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, backend.ErrNoSpace }
