package replication

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/objrepl/replication/backend"
)

func TestAnswersThatDoNotHoldAnyMoreAreAskedForAgain(t *testing.T) {
	change := func(f func(f *probeFile)) func(*testing.T, *world) {
		return func(t *testing.T, w *world) {
			file, err := w.probeState().read()
			require.NoError(t, err)
			f(&file)
			require.NoError(t, w.probeState().write(file))
		}
	}
	for name, damage := range map[string]func(*testing.T, *world){
		"truncated": func(t *testing.T, w *world) {
			require.NoError(t, os.Truncate(filepath.Join(w.r.config.stateDir, w.probeState().name(answersName)), 20))
		},
		"empty": func(t *testing.T, w *world) {
			require.NoError(t, os.Truncate(filepath.Join(w.r.config.stateDir, w.probeState().name(answersName)), 0))
		},
		"lost": func(t *testing.T, w *world) {
			require.NoError(t, os.RemoveAll(filepath.Join(w.r.config.stateDir, probesDir)))
		},
		"too old":           change(func(f *probeFile) { f.Objects.Asked = time.Now().Add(-probeAge) }),
		"of the future":     change(func(f *probeFile) { f.Objects.Asked = time.Now().Add(time.Hour) }),
		"another library's": change(func(f *probeFile) { f.Objects.Library = "v0.0.1" }),
		"a later format":    change(func(f *probeFile) { f.Version = probeVersion + 1 }),
		"another store's":   change(func(f *probeFile) { f.Location = "elsewhere" }),
	} {
		t.Run(name, func(t *testing.T) {
			w, s := newServerWorld(t)
			calls := new(keyedCalls)
			calls.watch(w.destination)
			w.put(w.source, "a", "1")
			w.mustSync()
			require.Equal(t, 4, count(calls.take(), "put probe"))
			damage(t, w)
			s.ignores[putMatch] = true // another server meanwhile
			w.put(w.source, "a", "2")
			w.mustSync()
			made := calls.take()
			require.Equal(t, 4, count(made, "put probe"), "%v", made)
			lookedFirst(t, made, "put a")
			require.Len(t, w.weaker(), 1)
			w.requireNoProbe()
		})
	}
}

func TestAServerThatCannotBeAskedIsTrustedInNothing(t *testing.T) {
	for name, failure := range map[string]error{
		"forbidden": fs.ErrPermission, "out of reach": backend.ErrUnavailable, "busy": backend.ErrThrottled,
	} {
		t.Run(name, func(t *testing.T) {
			w, s := newServerWorld(t)
			s.ignores[deleteMatch] = true
			calls := new(keyedCalls)
			w.destination.before = func(op, key string) error {
				if op == "put" && key == "probe" {
					return failure
				}
				return nil
			}
			calls.watch(w.destination)
			w.put(w.source, "a", "1")
			w.put(w.source, "b", "1")
			w.mustSync()
			made := calls.take()
			lookedFirst(t, slices.DeleteFunc(slices.Clone(made), func(c string) bool { return strings.HasSuffix(c, " b") }), "put a")
			require.Contains(t, *s.sent, putAbsent, "the condition is sent all the same")
			require.Contains(t, strings.Join(w.weaker(), "\n"), "could not be asked whether it can create conditionally")

			w.destination.before = nil
			calls.watch(w.destination)
			w.put(w.source, "a", "2")
			w.mustSync()
			require.Equal(t, 4, count(calls.take(), "put probe"), "the next pass asks")
			require.Len(t, w.weaker(), 1)
			w.requireNoProbe()
		})
	}
}

// Whichever request of a probe fails once, before or after it was applied, the
// answers are the same and nothing is left.
func TestNoFailureThatPassesChangesAnAnswer(t *testing.T) {
	for name, condition := range map[string][]string{"honours all": nil, "ignores all": slices.Concat(allConditions, copyConditions), "ignores copies": copyConditions, "ignores delete": {deleteMatch}} {
		for _, applied := range []bool{false, true} {
			for failing := range 22 {
				w, s := newServerWorld(t)
				for _, c := range condition {
					s.ignores[c] = true
				}
				n, begun := 0, false
				hook := func(op, _ string) error {
					if n++; n-1 == failing {
						begun = op == "upload" && applied
						return backend.ErrUnavailable
					}
					return nil
				}
				if applied {
					w.destination.after = hook
				} else {
					w.destination.before = hook
				}
				got, err := w.guards().refresh(t.Context())
				require.NoError(t, err, "%s, call %d, applied %v", name, failing, applied)
				is := func(c string) answer {
					if slices.Contains(condition, c) {
						return answerIgnored
					}
					return answerHonoured
				}
				bulk := guard{Absent: answerNone, Match: answerHonoured}
				require.Equal(t, conditions{
					put: guard{is(putAbsent), is(putMatch)}, delete: guard{answerNone, is(deleteMatch)},
					complete: guard{is(completeAbsent), is(completeMatch)}, bulk: bulk,
					copy: guard{is(copyAbsent), is(copyMatch)}, from: is(copyFrom),
				}, got, "%s, call %d, applied %v", name, failing, applied)
				if !begun { // whose upload nobody knows of
					w.requireNoProbe()
				}
			}
		}
	}
}

func TestPoliciesAndProcessesAskTogetherOnce(t *testing.T) {
	w, _ := newServerWorld(t)
	calls := new(keyedCalls)
	calls.watch(w.destination)
	w.put(w.source, "a", "1")
	state := w.r.config.stateDir
	other, err := New(WithStateDir(state), WithDrivers(worldDriver{w}))
	require.NoError(t, err)
	defer other.Close()
	other.durability = "none"
	var group errgroup.Group
	for i := range 8 {
		r, p := w.r, w.policy
		if i%2 == 0 {
			r = other
		}
		p.ID = string(rune('a' + i))
		p.DestinationPrefix = p.ID + "/"
		group.Go(func() error {
			_, err := r.Sync(t.Context(), p)
			return err
		})
	}
	require.NoError(t, group.Wait())
	made := calls.take()
	require.Equal(t, 4+8, count(made, "put"), "%v", made)
	require.Equal(t, 2, count(made, "delete"), "%v", made)
	w.requireNoProbe()
}

func TestProbesFormatIsAsSpecified(t *testing.T) {
	const golden = `{
  "version": 1,
  "location": "s3://127.0.0.1:9000/data",
  "objects": {
    "asked": "2026-01-02T03:04:05Z",
    "library": "v1.0.0",
    "put": {
      "if_absent": "honoured",
      "if_match": "refused"
    },
    "delete": {
      "if_absent": "none",
      "if_match": "ignored"
    }
  },
  "parts": {
    "asked": "2026-01-02T03:04:05Z",
    "library": "v1.0.0",
    "complete": {
      "if_absent": "honoured",
      "if_match": "unknown"
    }
  },
  "left": [
    {
      "key": "p/.objrepl-probe-ABCDEFGHIJKLMNOPQRSTUVWXYZ",
      "upload": "u",
      "forbidden": true
    }
  ]
}
`
	s := probeState{mustRoot(t, t.TempDir()), "s3://127.0.0.1:9000/data"}
	const name = "probes/48ae5b5f2a2d7ab2f7d0ed6cf6e7e0c3d4e8dc4f5ad1ba7a12a8c3e1c6b2c0d1/answers.json"
	require.Equal(t, len(name), len(s.name(answersName)))
	unlock, err := s.lock(t.Context(), time.Second)
	require.NoError(t, err)
	_, err = s.lock(t.Context(), time.Millisecond)
	require.ErrorIs(t, err, errProbed)
	require.NoError(t, s.root.WriteFile(s.name(answersName), []byte(golden), 0o600))
	f, err := s.read()
	require.NoError(t, err)
	require.NoError(t, s.write(f))
	require.NoError(t, unlock())
	data, err := s.root.ReadFile(s.name(answersName))
	require.NoError(t, err)
	require.Equal(t, golden, string(data))
}

// What asks on purpose, as a command would, sees what changed, and leaves it to
// the passes.
func TestAskingAnewSeesWhatChanged(t *testing.T) {
	w, s := newServerWorld(t)
	g := w.guards()
	got, err := g.refresh(t.Context())
	require.NoError(t, err)
	require.Equal(t, answerHonoured, got.complete.Match)
	s.ignores[putMatch] = true
	g.destination = w.guards().destination
	got, err = g.refresh(t.Context())
	require.NoError(t, err)
	require.Equal(t, answerIgnored, got.put.Match)

	calls := new(keyedCalls)
	calls.watch(w.destination)
	w.put(w.source, "a", "1")
	w.mustSync()
	require.Equal(t, []string{"put a"}, calls.take())
	require.Len(t, w.weaker(), 1)

	w.destination.before = func(op, _ string) error { return backend.ErrStoreNotFound }
	_, err = g.refresh(t.Context())
	require.ErrorIs(t, err, backend.ErrStoreNotFound)
}
