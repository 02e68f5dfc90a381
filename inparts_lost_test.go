package replication

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
)

func TestALostAnswerOfCompleteIsLookedFor(t *testing.T) {
	w := newPartsWorld(t)
	w.put(w.source, "big", large("abcdefg"))
	w.destination.after = func(op, _ string) error {
		if op == "complete" {
			return backend.ErrUnavailable
		}
		return nil
	}
	w.mustSync()
	calls := uploadCalls(w.destination)
	require.Equal(t, 1, len(slices.DeleteFunc(slices.Clone(calls), func(op string) bool { return op != "complete" })))
	require.Equal(t, 1, len(slices.DeleteFunc(calls, func(op string) bool { return op != "begin" })))
	w.requireEqual()
	w.requireNoUploads()
	w.requireQuiet()
}

func TestACompleteThatDidNotApplyIsMadeAgain(t *testing.T) {
	w := newPartsWorld(t)
	w.put(w.source, "big", large("abcdefg"))
	var tries atomic.Int64
	w.destination.before = func(op, _ string) error {
		if op == "complete" && tries.Add(1) == 1 {
			return backend.ErrUnavailable
		}
		return nil
	}
	w.mustSync()
	require.EqualValues(t, 2, tries.Load())
	w.requireEqual()
	w.requireNoUploads()
}

func TestACrashAfterCompleteCopiesNothingTwice(t *testing.T) {
	w := newPartsWorld(t)
	w.put(w.source, "big", large("abcdefg"))
	ctx, cancel := context.WithCancel(t.Context())
	w.destination.after = func(op, _ string) error {
		if op == "complete" {
			cancel()
			return ctx.Err()
		}
		return nil
	}
	_, err := w.r.Sync(ctx, w.policy)
	require.ErrorIs(t, err, context.Canceled)
	w.destination.after = nil
	uploadCalls(w.destination)
	w.restartParts()
	require.EqualValues(t, 1, w.mustSync().Adopted)
	for _, op := range uploadCalls(w.destination) {
		require.False(t, strings.HasPrefix(op, "part ") || op == "begin" || op == "complete", op)
	}
	w.requireEqual()
	w.requireNoUploads()
}

func TestAnUploadThatFailsIsKeptForTheNextPass(t *testing.T) {
	w := newPartsWorld(t)
	w.put(w.source, "big", large("abcdefg"))
	w.destination.before = func(op, _ string) error {
		if op == "part 9" {
			w.awaitFirstPart()
			return fs.ErrPermission
		}
		return nil
	}
	_, err := w.sync()
	require.ErrorIs(t, err, ErrObjectsFailed)
	require.ErrorIs(t, err, fs.ErrPermission)
	require.Len(t, w.destination.Uploads(), 1)
	w.destination.before = nil
	uploadCalls(w.destination)
	w.mustSync()
	require.NotContains(t, uploadCalls(w.destination), "part 1")
	w.requireEqual()
	w.requireNoUploads()
}

func TestAnUploadThatTheStoreLostBeginsAnew(t *testing.T) {
	w := newPartsWorld(t)
	w.put(w.source, "big", large("abcdefg"))
	lose := func() {
		for _, id := range w.destination.Uploads() {
			u, err := w.destination.Store.UploadParts(t.Context(), "big", backend.PartsOptions{ID: id})
			require.NoError(t, err)
			require.NoError(t, u.Abort(t.Context()))
		}
	}
	w.interrupted(6)
	lose() // between two passes
	var losses atomic.Int64
	w.destination.before = func(op, _ string) error {
		if op == "part 5" && losses.Add(1) == 1 || op == "complete" && losses.Add(1) == 3 {
			lose() // and amid one, and at its end
		}
		return nil
	}
	w.restartParts()
	w.mustSync()
	w.requireEqual()
	w.requireNoUploads()
}

func TestAPartThatFailsForAWhileIsSentAgainAlone(t *testing.T) {
	w := newPartsWorld(t)
	w.put(w.source, "big", large("abcdefg"))
	var failed atomic.Int64
	w.destination.before = func(op, _ string) error {
		if op == "part 3" && failed.Add(1) <= 2 {
			return backend.ErrUnavailable
		}
		return nil
	}
	w.mustSync()
	w.requireEqual()
	calls := uploadCalls(w.destination)
	require.Equal(t, 13, len(slices.DeleteFunc(calls, func(op string) bool { return !strings.HasPrefix(op, "part ") })))
}

// A connection to the source that breaks amid a range says nothing of the
// object.
func TestABrokenReadingOfAPartIsMadeAgainAlone(t *testing.T) {
	w := newPartsWorld(t)
	w.put(w.source, "big", large("abcdefg"))
	var opened atomic.Int64
	w.source.after = func(op, _ string) error {
		if op == "open" && opened.Add(1) == 5 {
			return fmt.Errorf("%w: %w", backend.ErrUnavailable, io.ErrUnexpectedEOF)
		}
		return nil
	}
	w.mustSync()
	w.requireEqual()
	require.EqualValues(t, 12, opened.Load())
	require.NotContains(t, uploadCalls(w.destination), "abort")
}
