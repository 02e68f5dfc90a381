package replication

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
)

// A trial that cannot remove everything says so, also of what is no object: a FIFO
// in its directory, or a directory that nobody can look into.
func TestWhatIsNoObjectIsLeftBehindByATrial(t *testing.T) {
	for name, problem := range map[string]func(prefix string) backend.Object{
		"special file":         func(prefix string) backend.Object { return backend.Object{Key: prefix + "fifo"} },
		"directory of its own": func(prefix string) backend.Object { return backend.Object{Key: prefix + "dir/"} },
		"directory around it":  func(string) backend.Object { return backend.Object{Key: "d/"} },
	} {
		t.Run(name, func(t *testing.T) {
			w, _ := newServerWorld(t)
			var prefix string
			err := w.try(t.Context(), func(_ context.Context, trial *Trial) error {
				prefix = trial.Prefix
				o := problem(prefix)
				o.Problem = &backend.Error{Op: "list", Backend: "test", Key: o.Key, Err: backend.ErrNotRegular}
				w.destination.page = func(page []backend.Object) []backend.Object { return append(slices.Clone(page), o) }
				w.put(w.destination, prefix+"a", "1") // so that there is a page
				return nil
			})
			var left *LeftError
			require.ErrorAs(t, err, &left)
			require.ErrorIs(t, err, backend.ErrNotRegular)
			require.Empty(t, w.contents(w.destination), "what can be removed is")

			// It hinders the next one no more than what may not be removed.
			w.put(w.destination, prefix+"a", "1")
			require.NoError(t, w.try(t.Context(), func(context.Context, *Trial) error {
				w.destination.page = nil
				return nil
			}))
			require.NoError(t, w.try(t.Context(), func(context.Context, *Trial) error { return nil }))
			w.requireNoTrial()
		})
	}
}

// Trials of other state directories are as old as the store's clock makes them,
// whatever this machine's says.
func TestTheAgeOfATrialOfElsewhereIsByTheStoresClock(t *testing.T) {
	for name, c := range map[string]struct {
		clock, age time.Duration // of the store ahead of here, and of the trial
		silent     bool          // the store does not say what time it is
		left       bool
	}{
		"behind, and young": {clock: -48 * time.Hour, age: time.Hour, left: true},
		"ahead, and old":    {clock: 48 * time.Hour, age: 25 * time.Hour},
		"old":               {age: 25 * time.Hour},
		"not known":         {age: 25 * time.Hour, silent: true, left: true},
	} {
		t.Run(name, func(t *testing.T) {
			w, _ := newServerWorld(t)
			theirs := "d/" + newProbeName() + "/"
			w.put(w.destination, theirs+"a", "1")
			w.put(w.destination, theirs+"b", "1")
			w.destination.describe = func(o *backend.Object) {
				if o.Modified = o.Modified.Add(c.clock); c.silent {
					o.Modified = time.Time{}
				}
			}
			w.destination.page = func(page []backend.Object) []backend.Object {
				page = slices.Clone(page)
				for i := range page {
					if page[i].Modified = page[i].Modified.Add(c.clock); page[i].Key == theirs+"a" {
						page[i].Modified = page[i].Modified.Add(-40 * 24 * time.Hour)
					} else {
						page[i].Modified = page[i].Modified.Add(-c.age)
					}
				}
				return page
			}
			require.NoError(t, w.try(t.Context(), func(_ context.Context, trial *Trial) error {
				if c.left {
					require.Equal(t, []string{theirs}, trial.Others)
					require.Zero(t, trial.Removed)
				} else {
					require.Empty(t, trial.Others)
					require.Equal(t, 2, trial.Removed)
				}
				return nil
			}))
		})
	}
}

// A listing that does not say of each object when it was written says of none of
// that trial how old it is.
func TestATrialOfUnknownAgeStays(t *testing.T) {
	for _, unknown := range []string{"a", "b"} {
		w, _ := newServerWorld(t)
		theirs := "d/" + newProbeName() + "/"
		w.put(w.destination, theirs+"a", "1")
		w.put(w.destination, theirs+"b", "1")
		w.destination.page = func(page []backend.Object) []backend.Object {
			page = slices.Clone(page)
			for i := range page {
				if page[i].Modified = page[i].Modified.Add(-48 * time.Hour); page[i].Key == theirs+unknown {
					page[i].Modified = time.Time{}
				}
			}
			return page
		}
		require.NoError(t, w.try(t.Context(), func(_ context.Context, trial *Trial) error {
			require.Equal(t, []string{theirs}, trial.Others)
			return nil
		}))
		require.Len(t, w.contents(w.destination), 2)
	}
}

// Keys of this form are no objects to a pass, but a place may be called so.
func TestATrialUnderAPrefixThatLooksLikeOneIsCleared(t *testing.T) {
	w, _ := newServerWorld(t)
	require.NoError(t, w.r.Try(t.Context(), "test", w.policy.DestinationSettings, "x/"+newProbeName()+"/", func(ctx context.Context, trial *Trial) error {
		litter(t, ctx, trial)
		return nil
	}))
	require.NoError(t, w.try(t.Context(), func(context.Context, *Trial) error { return nil }))
	w.requireNoTrial()
}
