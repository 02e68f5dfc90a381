package probe_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication"
	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/memory"
	"github.com/objrepl/replication/probe"
)

// A liar is a driver of one store in memory that ignores the conditions of a Put.
type liar struct {
	store         *memory.Store
	absent, match bool // are ignored
}

func (*liar) Name() string           { return "liar" }
func (*liar) Schema() backend.Schema { return nil }
func (l *liar) Open(context.Context, backend.Settings) (backend.Backend, error) {
	return lying{l.store, l}, nil
}

type lying struct {
	*memory.Store
	l *liar
}

func (s lying) Put(ctx context.Context, key string, body backend.Body, opts backend.PutOptions) (backend.Object, error) {
	opts.If.Absent = opts.If.Absent && !s.l.absent
	if s.l.match {
		opts.If.Match = ""
	}
	return s.Store.Put(ctx, key, body, opts)
}

func newStore(varies bool) *memory.Store {
	return memory.NewBackend(memory.WithProperties(func(p *backend.Properties) {
		p.Varies, p.Location = varies, "liar:test"
	}))
}

func replicator(t *testing.T, d backend.Driver) *replication.Replicator {
	r, err := replication.New(replication.WithStateDir(t.TempDir()), replication.WithDrivers(d))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.Close()) })
	return r
}

func found(r probe.Result) map[string]probe.Finding {
	out := map[string]probe.Finding{}
	for _, f := range r.Features {
		out[f.Name] = f.Found
	}
	return out
}

// others drops what is honoured.
func others(r probe.Result) map[string]probe.Finding {
	all := found(r)
	maps.DeleteFunc(all, func(_ string, f probe.Finding) bool { return f == probe.Honoured })
	return all
}

func TestAStoreThatKeepsItsWordIsAsDeclared(t *testing.T) {
	for _, full := range []bool{false, true} {
		l := &liar{store: newStore(true)}
		var estimate probe.Cost
		var last, of int
		result, err := probe.Run(t.Context(), replicator(t, l), probe.Store{Backend: "liar", Prefix: "p/"}, probe.Options{
			Full:     full,
			Begin:    func(_ string, c probe.Cost) error { estimate = c; return nil },
			Progress: func(_ probe.Check, done, all int) { last, of = done, all },
		})
		require.NoError(t, err)
		require.True(t, result.AsDeclared)
		require.Empty(t, others(result))
		require.Empty(t, result.Weaker)
		require.Len(t, result.Checks, of)
		require.Equal(t, of, last)
		require.InEpsilon(t, estimate.Requests, result.Cost.Requests, 0.15)
		require.InEpsilon(t, estimate.BytesWritten, result.Cost.BytesWritten, 0.15)
		require.InEpsilon(t, estimate.BytesRead, result.Cost.BytesRead, 0.15)
		require.Zero(t, l.store.Len())
		require.Empty(t, l.store.Uploads())
		for _, c := range result.Checks {
			require.NotEmpty(t, c.Feature, c.Name)
		}
	}
}

// What may vary is no fault of a server that ignores it; what is declared is.
func TestAServerThatIgnoresConditionsIsFoundOut(t *testing.T) {
	for _, varies := range []bool{true, false} {
		l := &liar{store: newStore(varies), match: true}
		result, err := probe.Run(t.Context(), replicator(t, l), probe.Store{Backend: "liar"}, probe.Options{})
		require.Equal(t, varies, result.AsDeclared)
		i := slices.IndexFunc(result.Features, func(f probe.Feature) bool { return f.Name == "put if-match" })
		f := result.Features[i]
		if varies {
			require.NoError(t, err)
			require.Equal(t, map[string]probe.Finding{"put if-match": probe.Ignored}, others(result))
			require.Equal(t, probe.DeclaredVaries, f.Declared)
			require.Contains(t, f.Meaning, "a change in between is overwritten")
			require.Len(t, result.Weaker, 1)
		} else {
			require.ErrorIs(t, err, probe.ErrNotAsDeclared)
			require.ErrorContains(t, err, "put-if-match")
			require.Equal(t, map[string]probe.Finding{"put if-match": probe.Broken}, others(result))
			require.Equal(t, probe.DeclaredYes, f.Declared)
		}
		require.NotEmpty(t, f.Failed)
		require.Zero(t, l.store.Len())
	}
}

func TestACheckOfTwoConditionsIsNoFaultWhereEitherVaries(t *testing.T) {
	l := &liar{store: newStore(true), absent: true}
	result, err := probe.Run(t.Context(), replicator(t, l), probe.Store{Backend: "liar"}, probe.Options{})
	require.NoError(t, err)
	require.Equal(t, map[string]probe.Finding{"put if-absent": probe.Ignored}, others(result))
	i := slices.IndexFunc(result.Checks, func(c probe.Check) bool { return c.Name == "put-if-large" })
	require.Equal(t, "weaker", result.Checks[i].Status)
}

func TestAnInterruptedProbeLeavesNothingAndSaysWhatItFound(t *testing.T) {
	for _, at := range []int{1, 40, 80} {
		l := &liar{store: newStore(true)}
		ctx, cancel := context.WithCancel(t.Context())
		result, err := probe.Run(ctx, replicator(t, l), probe.Store{Backend: "liar"}, probe.Options{
			Progress: func(_ probe.Check, done, _ int) {
				if done == at {
					cancel()
				}
			},
		})
		require.ErrorIs(t, err, context.Canceled)
		require.False(t, result.AsDeclared)
		require.Len(t, result.Checks, at)
		require.Empty(t, result.Left)
		require.Zero(t, l.store.Len())
		require.Empty(t, l.store.Uploads())
	}
}

func TestAProbeThatIsDeclinedAsksNothing(t *testing.T) {
	declined := errors.New("declined")
	l := &liar{store: newStore(true)}
	result, err := probe.Run(t.Context(), replicator(t, l), probe.Store{Backend: "liar"}, probe.Options{
		Begin: func(string, probe.Cost) error { return declined },
	})
	require.ErrorIs(t, err, declined)
	require.Zero(t, result.Cost.Requests)
}

func TestAProbeEndsWhenItsTimeIsOver(t *testing.T) {
	l := &liar{store: newStore(true)}
	_, err := probe.Run(t.Context(), replicator(t, l), probe.Store{Backend: "liar"}, probe.Options{Timeout: 1})
	require.Error(t, err)
	require.Zero(t, l.store.Len())
}
