package replication

import (
	"context"
	"errors"
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

// works lets passes create, replace and delete an object, whole and in parts,
// and returns the calls of the second and third, which have their answers.
func (w *world) works(calls *keyedCalls) []string {
	w.largeFrom(8)
	w.policy.Concurrency = 1
	w.put(w.source, "first", "1")
	w.put(w.source, "large first", "0123456789")
	w.mustSync()
	calls.take()
	w.put(w.source, "small", "1")
	w.put(w.source, "large", "0123456789")
	w.put(w.source, "large first", "01234567890")
	w.put(w.source, "first", "2")
	w.mustSync()
	w.remove(w.source, "first")
	w.mustSync()
	w.requireEqual()
	return calls.take()
}

func TestAConditionThatIsNotHonouredIsLookedAtAndNotSent(t *testing.T) {
	// What the probe's answer has to bring with it: a look before this write.
	writes := map[string]string{
		putAbsent: "put small", putMatch: "put first", deleteMatch: "delete first",
		completeAbsent: "complete large", completeMatch: "complete large first",
	}
	says := map[string]string{
		putAbsent: "cannot create conditionally:", putMatch: "cannot replace conditionally:", deleteMatch: "cannot delete conditionally:",
		completeAbsent: "cannot create conditionally from parts:", completeMatch: "cannot replace conditionally from parts:",
	}
	for _, how := range []struct {
		name string
		does func(s *server, condition string)
	}{
		{"ignores the condition", func(s *server, c string) { s.ignores[c] = true }},
		{"refuses the condition", func(s *server, c string) { s.refuses[c] = errors.ErrUnsupported }},
		// InvalidArgument, say, has no class of its own.
		{"refuses the condition", func(s *server, c string) { s.refuses[c] = errors.New("invalid argument") }},
	} {
		for _, condition := range allConditions {
			t.Run(how.name+" "+condition, func(t *testing.T) {
				w, s := newServerWorld(t)
				how.does(s, condition)
				calls := new(keyedCalls)
				calls.watch(w.destination)
				made := w.works(calls)
				lookedFirst(t, made, writes[condition])
				require.Equal(t, 1, count(made, "stat"), "%v", made)
				require.NotContains(t, *s.sent, condition)
				require.Len(t, w.weaker(), 1)
				require.Contains(t, w.weaker()[0], how.name+" and "+says[condition])
				w.requireNoProbe()
				w.requireQuiet()
			})
		}
	}
}

func TestAServerThatHonoursAllConditionsIsNotLookedAt(t *testing.T) {
	w, s := newServerWorld(t)
	calls := new(keyedCalls)
	calls.watch(w.destination)
	require.Zero(t, count(w.works(calls), "stat"))
	for _, condition := range allConditions {
		require.Contains(t, *s.sent, condition)
	}
	require.Empty(t, w.weaker())
	w.requireNoProbe()
}

// Somebody creates, replaces or deletes an object between the listing and the
// write. What believes the driver loses it; what has asked the server does not.
func TestWhatAServerIgnoresWouldLoseAnUpdate(t *testing.T) {
	for _, c := range []struct {
		condition string
		ours      bool // the policy has written the object
	}{{putAbsent, false}, {putMatch, true}, {deleteMatch, true}} {
		for _, asked := range []bool{false, true} {
			t.Run(c.condition, func(t *testing.T) {
				w, s := newServerWorld(t)
				s.ignores[c.condition] = true
				w.put(w.source, "stays", "1")
				if c.ours {
					w.put(w.source, "k", "1")
				}
				w.mustSync()
				require.NoError(t, os.RemoveAll(filepath.Join(w.r.config.stateDir, probesDir)))
				if !asked {
					w.wrap = func(h *hooked) backend.Backend {
						out := *s
						out.hooked = h
						return believed{out}
					}
				}
				switch c.condition {
				case putAbsent:
					w.put(w.source, "k", "1")
				case putMatch:
					w.put(w.source, "k", "22")
				case deleteMatch:
					w.remove(w.source, "k")
					w.policy.MaxDelete = "off"
				}
				// The listing is of before; the write, and the look, come after.
				w.destination.page = func(page []backend.Object) []backend.Object {
					w.put(w.destination, "k", "theirs")
					w.destination.page = nil
					return slices.DeleteFunc(page, func(o backend.Object) bool { return !c.ours && o.Key == "k" })
				}
				_, err := w.sync()
				theirs := slices.Contains(w.contents(w.destination), "k=theirs")
				if !asked {
					require.NoError(t, err)
					require.False(t, theirs, "if this does not lose the update, the test shows nothing")
					return
				}
				require.ErrorIs(t, err, ErrObjectsFailed)
				require.True(t, theirs)
			})
		}
	}
}

// believed is a server whose driver swears that it honours what it can send.
type believed struct{ server }

func (b believed) Properties() backend.Properties {
	p := b.server.Properties()
	p.Varies = false
	return p
}

func TestAskingTakesSixRequestsOnceForAllPoliciesAndProcesses(t *testing.T) {
	w, _ := newServerWorld(t)
	calls := new(keyedCalls)
	calls.watch(w.destination)
	w.policy.Concurrency = 1
	w.put(w.source, "a", "1")
	w.mustSync()
	require.Equal(t, []string{
		"put probe", "put probe", "put probe", "put probe", "delete probe", "delete probe", "put a",
	}, calls.take())

	w.put(w.source, "a", "2")
	w.mustSync()
	w.restart(w.r.config.stateDir)
	w.put(w.source, "a", "3")
	w.mustSync()
	require.Equal(t, []string{"put a", "put a"}, calls.take())

	w.policy.ID, w.policy.DestinationPrefix = "other", "elsewhere/"
	w.mustSync()
	require.Equal(t, []string{"put elsewhere/a"}, calls.take())
	w.requireNoProbe()
}

func TestAskingAboutPartsTakesEightRequestsBeforeTheFirstLargeObject(t *testing.T) {
	w, _ := newServerWorld(t)
	calls := new(keyedCalls)
	calls.watch(w.destination)
	w.largeFrom(4)
	w.put(w.source, "a", "1234")
	w.mustSync()
	all := calls.take()
	about := slices.DeleteFunc(all, func(c string) bool { return !strings.HasSuffix(c, " probe") })
	require.Equal(t, []string{
		"put probe", "put probe", "put probe", "put probe", "delete probe", "delete probe",
		"put probe", "put probe", "upload probe", "part probe", "complete probe", "complete probe", "complete probe", "delete probe",
	}, about)
	w.put(w.source, "b", "1234")
	w.mustSync()
	require.Equal(t, []string{"upload b", "part b", "complete b"}, calls.take())
	w.requireNoProbe()
}

func TestWhatWritesNothingAsksNothing(t *testing.T) {
	w, _ := newServerWorld(t)
	calls := new(keyedCalls)
	calls.watch(w.destination)
	w.put(w.source, "a", "1")
	w.put(w.source, "b", "1")
	plan, err := w.r.PlanOf(t.Context(), w.policy)
	require.NoError(t, err)
	require.Empty(t, calls.take(), "a plan changes nothing")
	require.EqualValues(t, 2+4, plan.Requests.Least.Destination.Put)
	require.EqualValues(t, 2, plan.Requests.Most.Destination.Delete)
	require.NoDirExists(t, filepath.Join(w.r.config.stateDir, probesDir))

	w.put(w.destination, "a", "1")
	w.put(w.destination, "b", "1")
	require.EqualValues(t, 2, w.mustSync().Adopted)
	require.Zero(t, count(calls.take(), "put"), "adopting takes no condition")
	w.requireQuiet()
	require.Empty(t, w.weaker())
}

// A plan knows what the server has answered.
func TestAPlanCountsTheLooksThatAServerTakes(t *testing.T) {
	w, s := newServerWorld(t)
	s.ignores[putMatch], s.ignores[deleteMatch] = true, true
	w.policy.MaxDelete = "off"
	for _, k := range []string{"a", "b", "c"} {
		w.put(w.source, k, "1")
	}
	w.mustSync()
	w.put(w.source, "a", "2")
	w.put(w.source, "d", "2")
	w.remove(w.source, "b")
	plan, err := w.r.PlanOf(t.Context(), w.policy)
	require.NoError(t, err)
	require.EqualValues(t, 2, plan.Requests.Most.Destination.Head)
	require.EqualValues(t, 2, plan.Requests.Most.Destination.Put)
	w.destination.calls()
	w.mustSync()
	require.Equal(t, 2, count(w.destination.calls(), "stat"))
}

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
			require.NoError(t, os.Truncate(filepath.Join(w.r.config.stateDir, w.probeState().name(".json")), 20))
		},
		"empty": func(t *testing.T, w *world) {
			require.NoError(t, os.Truncate(filepath.Join(w.r.config.stateDir, w.probeState().name(".json")), 0))
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

func TestAProbeThatMayNotDeleteLeavesOneObjectWhateverHappens(t *testing.T) {
	w, _ := newServerWorld(t)
	calls := new(keyedCalls)
	w.destination.before = func(op, _ string) error {
		if op == "delete" {
			return fs.ErrPermission
		}
		return nil
	}
	calls.watch(w.destination)
	w.policy.Deletes = KeepDeleted
	w.put(w.source, "a", "1")
	w.mustSync()
	require.Len(t, w.contents(w.destination), 2)
	require.Equal(t, []string{`destination "test" could not be asked whether it can delete conditionally: its tag is looked at just before, and a change in between is lost`}, w.weaker())
	calls.take()
	w.put(w.source, "a", "2")
	w.mustSync()
	require.Equal(t, []string{"put a"}, calls.take(), "the rest is known")
	w.requireQuiet()

	file, err := w.probeState().read()
	require.NoError(t, err)
	require.Len(t, file.Left, 1)
	file.Objects.Asked = time.Time{}
	require.NoError(t, w.probeState().write(file))
	w.put(w.source, "a", "3")
	w.mustSync()
	require.Len(t, w.contents(w.destination), 2, "the next probe takes the same object")
	require.Equal(t, 4, count(calls.take(), "put probe"))

	w.destination.before = nil
	file, err = w.probeState().read()
	require.NoError(t, err)
	file.Objects.Asked = time.Time{}
	require.NoError(t, w.probeState().write(file))
	w.put(w.source, "a", "4")
	w.mustSync()
	require.Empty(t, w.weaker())
	w.requireNoProbe()
}

// Whichever request of a probe fails once, before or after it was applied, the
// answers are the same and nothing is left.
func TestNoFailureThatPassesChangesAnAnswer(t *testing.T) {
	for name, condition := range map[string][]string{"honours all": nil, "ignores all": allConditions, "ignores delete": {deleteMatch}} {
		for _, applied := range []bool{false, true} {
			for failing := range 15 {
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
				}, got, "%s, call %d, applied %v", name, failing, applied)
				if !begun { // whose upload nobody knows of
					w.requireNoProbe()
				}
			}
		}
	}
}

func TestACancelledProbeCleansUp(t *testing.T) {
	for _, at := range []string{"put", "delete", "part", "complete"} {
		t.Run(at, func(t *testing.T) {
			w, _ := newServerWorld(t)
			ctx, cancel := context.WithCancel(t.Context())
			w.destination.after = func(op, key string) error {
				if op == at && isProbe(key) {
					cancel()
				}
				return nil
			}
			w.largeFrom(4)
			w.put(w.source, "large", "0123456789")
			_, err := w.r.Sync(ctx, w.policy)
			require.ErrorIs(t, err, context.Canceled)
			for _, object := range w.contents(w.destination) {
				require.NotContains(t, object, probeName)
			}
			w.destination.after = nil
			w.mustSync()
			w.requireEqual()
			require.Empty(t, w.weaker())
			w.requireNoProbe()
		})
	}
}

// A process that is killed in a probe leaves its object, its upload, and a word
// of them in the state.
func TestWhatAKilledProbeLeftIsRemovedByTheNextPass(t *testing.T) {
	for _, at := range []string{"put", "part"} {
		t.Run(at, func(t *testing.T) {
			w, _ := newServerWorld(t)
			w.largeFrom(4)
			w.put(w.source, "large", "0123456789")
			state, saved := w.r.config.stateDir, filepath.Join(t.TempDir(), "saved")
			var probe string
			seen := 0
			w.destination.after = func(op, key string) error {
				// The last probe that gets so far, as it is then.
				if op == at && isProbe(key) {
					probe = key
					if seen++; seen == 1 {
						require.NoError(t, os.CopyFS(saved, os.DirFS(state)))
					}
				}
				return nil
			}
			w.mustSync()
			w.destination.after = nil
			f, err := probeState{root: mustRoot(t, saved), location: w.destination.Properties().Location}.read()
			require.NoError(t, err)
			require.Len(t, f.Left, 1)
			// The store as the killed process left it.
			w.put(w.destination, f.Left[0].Key, "a probe's")
			if at == "part" {
				_, err := w.destination.UploadParts(t.Context(), probe, backend.PartsOptions{PartSize: 4})
				require.NoError(t, err)
				require.NotEmpty(t, f.Left[0].Upload)
				f.Left[0].Upload = w.destination.Uploads()[0]
				require.NoError(t, probeState{root: mustRoot(t, saved), location: w.destination.Properties().Location}.write(f))
			}
			w.restart(saved)
			w.mustSync() // it has nothing to write, and so asks nothing
			w.requireNoProbe()
			w.requireEqual()
			w.requireQuiet()
		})
	}
}

func mustRoot(t *testing.T, dir string) *os.Root {
	root, err := os.OpenRoot(dir)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, root.Close()) })
	return root
}

func TestNoPassSeesAProbe(t *testing.T) {
	const theirs = "d/" + probeName + "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	require.True(t, isProbe(theirs))
	require.False(t, isProbe(probeName))
	require.False(t, isProbe(theirs+"/a"))
	w, _ := newServerWorld(t)
	w.put(w.source, "a", "1")
	w.put(w.source, theirs, "a leftover of a chain of policies")
	w.mustSync()
	require.Equal(t, []string{"a=1"}, w.contents(w.destination))
	w.put(w.destination, theirs, "a leftover of another state directory")
	w.requireQuiet()
	v, err := w.r.VerifyOf(t.Context(), w.policy)
	require.NoError(t, err)
	require.Empty(t, v.Findings)
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
	const name = "probes/48ae5b5f2a2d7ab2f7d0ed6cf6e7e0c3d4e8dc4f5ad1ba7a12a8c3e1c6b2c0d1.json"
	require.Equal(t, len(name), len(s.name(".json")))
	unlock, err := s.lock(t.Context(), time.Second)
	require.NoError(t, err)
	_, err = s.lock(t.Context(), time.Millisecond)
	require.ErrorIs(t, err, errProbed)
	require.NoError(t, s.root.WriteFile(s.name(".json"), []byte(golden), 0o600))
	f, err := s.read()
	require.NoError(t, err)
	require.NoError(t, s.write(f))
	require.NoError(t, unlock())
	data, err := s.root.ReadFile(s.name(".json"))
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
