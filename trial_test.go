package replication

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
)

// try tries the world's destination, under a prefix of its own.
func (w *world) try(ctx context.Context, f func(context.Context, *Trial) error) error {
	return w.r.Try(ctx, "test", w.policy.DestinationSettings, "d/", f)
}

// litter writes two objects and begins an upload in a trial.
func litter(t *testing.T, ctx context.Context, trial *Trial) {
	b, err := trial.Open(ctx)
	require.NoError(t, err)
	for _, name := range []string{"a", "b/c"} {
		_, err := b.Put(ctx, trial.Prefix+name, backend.Bytes([]byte("x")), backend.PutOptions{})
		require.NoError(t, err)
	}
	uploader, ok := backend.As[backend.PartUploader](b)
	require.True(t, ok)
	_, err = uploader.UploadParts(ctx, trial.Prefix+"large", backend.PartsOptions{PartSize: 4})
	require.NoError(t, err)
	require.NoError(t, b.Close())
}

// requireNoTrial wants only what was there before, in the store and on disk.
func (w *world) requireNoTrial(there ...string) {
	w.t.Helper()
	require.Equal(w.t, there, w.contents(w.destination))
	require.Empty(w.t, w.destination.Uploads())
	_, err := w.r.state.Stat(w.probeState().name(trialsName))
	require.ErrorIs(w.t, err, fs.ErrNotExist)
}

func TestATrialLeavesNothingHoweverItEnds(t *testing.T) {
	failed := errors.New("failed on purpose")
	for name, end := range map[string]func(cancel func()) error{
		"well": func(func()) error { return nil }, "failed": func(func()) error { return failed },
		"cancelled": func(cancel func()) error { cancel(); return context.Canceled },
	} {
		t.Run(name, func(t *testing.T) {
			w, s := newServerWorld(t)
			s.ignores[deleteMatch] = true
			w.put(w.destination, "d/theirs", "1")
			w.put(w.destination, "other", "1")
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			err := w.try(ctx, func(ctx context.Context, trial *Trial) error {
				require.True(t, strings.HasPrefix(trial.Prefix, "d/"+probeName), trial.Prefix)
				require.Contains(t, trial.Conditions, ProbedCondition{
					"delete if-match", "ignored",
					"ignores the condition and cannot delete conditionally: its tag is looked at just before, and a change in between is lost",
				})
				require.Contains(t, trial.Conditions, ProbedCondition{Name: "put if-absent", Answer: "honoured"})
				require.Len(t, trial.Weaker, 1)
				litter(t, ctx, trial)
				return end(cancel)
			})
			require.ErrorIs(t, err, end(func() {}))
			w.requireNoTrial("d/theirs=1", "other=1")
			f, err := w.probeState().read()
			require.NoError(t, err)
			require.Equal(t, answerIgnored, f.Objects.Delete.Match, "passes use the answers")
		})
	}
}

// A process that is killed leaves what it wrote, and the journal.
func TestTheNextTrialRemovesWhatAKilledOneLeft(t *testing.T) {
	w, _ := newServerWorld(t)
	w.put(w.destination, "d/theirs", "1")
	journal := &trialJournal{state: w.probeState()}
	_, err := journal.load()
	require.NoError(t, err)
	killed := "d/" + newProbeName() + "/"
	require.NoError(t, os.MkdirAll(w.r.config.stateDir+"/"+journal.state.name(""), 0o700))
	require.NoError(t, journal.begin(killed))
	litter(t, t.Context(), &Trial{Prefix: killed, open: func(context.Context) (backend.Backend, error) {
		return trialStore{w.destination.Store, w.destination.Store, journal}, nil
	}})
	require.Len(t, w.contents(w.destination), 3)
	require.Len(t, w.destination.Uploads(), 1)
	require.NoError(t, w.try(t.Context(), func(_ context.Context, trial *Trial) error {
		require.Equal(t, 2, trial.Removed)
		require.Empty(t, w.destination.Uploads())
		return nil
	}))
	w.requireNoTrial("d/theirs=1")
}

func TestATrialOfElsewhereIsLeftAloneForADay(t *testing.T) {
	w, _ := newServerWorld(t)
	theirs := "d/" + newProbeName() + "/"
	w.put(w.destination, theirs+"a", "1")
	w.put(w.destination, "d/"+probeName+"short/a", "1")
	w.put(w.destination, "d/"+probeName+strings.Repeat("a", probeRandom)+"/lower", "1")
	require.NoError(t, w.try(t.Context(), func(_ context.Context, trial *Trial) error {
		require.Equal(t, []string{theirs}, trial.Others)
		return nil
	}))
	require.Len(t, w.contents(w.destination), 3)
}

func TestATrialWithoutAPermissionLeavesOneObjectAtMost(t *testing.T) {
	for op, left := range map[string]int{"put": 0, "list": 0, "open": 0, "delete": 1} {
		t.Run(op, func(t *testing.T) {
			w, _ := newServerWorld(t)
			refused := func(did, _ string) error {
				if did == op {
					return &backend.Error{Op: op, Backend: "test", Err: fs.ErrPermission}
				}
				return nil
			}
			w.destination.before = refused
			err := w.try(t.Context(), func(context.Context, *Trial) error { t.Error("tried"); return nil })
			require.ErrorIs(t, err, fs.ErrPermission)
			var at *backend.Error
			require.ErrorAs(t, err, &at)
			require.Equal(t, op, at.Op)
			w.destination.before = nil
			require.Len(t, w.contents(w.destination), left)
			if left > 0 {
				var leftErr *LeftError
				require.ErrorAs(t, err, &leftErr)
			}
			require.NoError(t, w.try(t.Context(), func(_ context.Context, trial *Trial) error {
				require.Equal(t, left, trial.Removed)
				return nil
			}))
			require.Empty(t, w.contents(w.destination))
		})
	}
}

func TestADamagedJournalDeletesNothingElse(t *testing.T) {
	for _, prefix := range []string{"", "d/", "d/" + probeName, "d/" + newProbeName(), "d/" + newProbeName() + "/x"} {
		w, _ := newServerWorld(t)
		w.put(w.destination, "d/theirs", "1")
		journal := &trialJournal{state: w.probeState()}
		_, err := journal.load()
		require.NoError(t, err)
		_, err = w.r.clearTrial(t.Context(), w.destination, journal, prefix)
		require.ErrorContains(t, err, "is no prefix of a trial")
		require.Equal(t, []string{"d/theirs=1"}, w.contents(w.destination))
	}
}

func TestOneTrialOfAStoreAtATime(t *testing.T) {
	w, _ := newServerWorld(t)
	require.NoError(t, w.try(t.Context(), func(ctx context.Context, _ *Trial) error {
		err := w.try(ctx, func(context.Context, *Trial) error { t.Error("tried"); return nil })
		require.ErrorIs(t, err, ErrLocked)
		return nil
	}))
}

func TestATrialOfElsewhereIsRemovedAfterADay(t *testing.T) {
	w, _ := newServerWorld(t)
	dir, place := t.TempDir(), newProbeName()
	require.NoError(t, os.MkdirAll(filepath.Join(dir, place, "b"), 0o755))
	for _, name := range []string{filepath.Join(place, "b", "c"), "theirs"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), nil, 0o644))
		old := time.Now().Add(-trialAge - time.Hour)
		require.NoError(t, os.Chtimes(filepath.Join(dir, name), old, old))
	}
	require.NoError(t, w.r.Try(t.Context(), "local", map[string]string{"path": dir}, "", func(_ context.Context, trial *Trial) error {
		require.Equal(t, 1, trial.Removed)
		require.Empty(t, trial.Others)
		return nil
	}))
	require.NoDirExists(t, filepath.Join(dir, place))
	require.FileExists(t, filepath.Join(dir, "theirs"))
}
