package replication

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

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
