//go:build linux

// Linux alone, since file systems of others take some of the names for one.

package pairs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication"
	"github.com/objrepl/replication/backend"
)

// TestEveryPairOfBackends replicates 100 objects of odd names, sizes and metadata,
// some 100 MiB, from each kind of store to each: all of them, then what has been
// changed, deleted and added, then nothing. Bytes and metadata of both sides are
// compared by reading them. Short runs take a ring of pairs in which each store is
// a source and a destination.
func TestEveryPairOfBackends(t *testing.T) {
	for _, s := range matrixStores {
		if s.server != nil {
			s.server(t) // or skip here, once
		}
	}
	require.Len(t, matrixObjects(0, false), 100)
	var table matrixTable
	t.Cleanup(func() { t.Log(table.String()) })
	for i := range matrixStores {
		for j := range matrixStores {
			if testing.Short() && j != (i+1)%len(matrixStores) {
				continue
			}
			t.Run(matrixStores[i].driver.Name()+" to "+matrixStores[j].driver.Name(), func(t *testing.T) {
				t.Parallel()
				started := time.Now()
				p := newMatrixPair(t, i, j)
				defer p.close(t)
				p.firstAndSecondPass(t)
				p.unchangedPass(t)
				table.add(i, j, p.summary(time.Since(started)))
			})
		}
	}
}

// A matrixPair is a policy between two fresh stores.
type matrixPair struct {
	from, to   *matrixSide
	replicator *replication.Replicator
	policy     replication.Policy
	reading    backend.Backend // the source, opened by the test itself
	bytes      int64
	failed     int
	inParts    bool
	requests   []string // of the unchanged pass, at each server
}

// newMatrixPair sets up the pair in row i and column j. Half of the pairs copy in
// parts whatever is as large as the least part of S3; a third have a prefix.
func newMatrixPair(t *testing.T, i, j int) *matrixPair {
	from := matrixStores[i].side(t, nil)
	to := matrixStores[j].side(t, from)
	if (i+2*j)%3 == 0 {
		to.prefix = "replica of/"
	}
	var opts []replication.Option
	inParts := (i+j)%2 == 0
	if inParts {
		opts = append(opts, replication.WithPartThreshold(matrixParts), replication.WithPartSize(matrixParts))
	}
	return &matrixPair{
		from: from, to: to, reading: from.open(t), inParts: inParts,
		replicator: replicator(t, opts...),
		policy: replication.Policy{
			ID:            "matrix",
			SourceBackend: from.driver.Name(), SourceSettings: from.settings,
			DestinationBackend: to.driver.Name(), DestinationSettings: to.settings, DestinationPrefix: to.prefix,
		},
	}
}

// close deletes the objects too, which some servers hold in memory.
func (p *matrixPair) close(t *testing.T) {
	require.NoError(t, p.reading.Close())
	p.from.clear(t)
	p.to.clear(t)
}

func (p *matrixPair) firstAndSecondPass(t *testing.T) {
	before, after := p.round(t, 0), p.round(t, 1)
	p.write(t, matrixRound{}, before)
	res := p.pass(t, before)
	require.EqualValues(t, len(before.held), res.Synced)
	p.bytes = res.BytesTotal
	if p.to.contentTags && p.from.proxy != p.to.proxy {
		require.Equal(t, p.inParts, p.to.proxy.Counts()["UploadPart"] > 0)
	}
	p.requireBothSidesHold(t, before)

	p.write(t, before, after)
	res = p.pass(t, after)
	require.EqualValues(t, len(changes(before.held, after.held)), res.Synced)
	require.EqualValues(t, len(gone(before.held, after.held)), res.Deleted)
	p.requireBothSidesHold(t, after)
	v, err := p.replicator.VerifyOf(t.Context(), p.policy, replication.ReadAll())
	require.EqualValues(t, len(after.held), v.Equal)
	require.EqualValues(t, len(after.failing), v.Total(), "%v", v.Findings)
	require.Equal(t, len(after.failing) > 0, errors.Is(err, replication.ErrDifferent), "%v", err)
}

// unchangedPass repeats the pass and counts its requests: a LIST at each side, what
// the destination's sweep costs, and for each object that fails again, but for its
// name, the attempt.
func (p *matrixPair) unchangedPass(t *testing.T) {
	round := p.round(t, 1)
	sides := []*matrixSide{p.from, p.to}
	lists, others := []int{1, 1 + p.to.sweep}, []int{round.asked * p.from.perOpen, round.asked}
	if p.from.proxy != nil && p.from.proxy == p.to.proxy {
		sides, lists, others = sides[:1], []int{lists[0] + lists[1]}, []int{others[0] + others[1]}
	}
	for _, side := range sides {
		if side.proxy != nil {
			side.proxy.Reset()
		}
	}
	res := p.pass(t, round)
	require.Zero(t, res.Synced+res.Adopted+res.Deleted)
	for i, side := range sides {
		if side.proxy == nil {
			continue
		}
		counted, rest := side.requests()
		require.Equal(t, lists[i], counted, "LIST requests to %s", side.driver.Name())
		require.LessOrEqual(t, len(rest), others[i], "other requests to %s: %v", side.driver.Name(), rest)
		p.requests = append(p.requests, fmt.Sprintf("%d LIST, %d more", counted, len(rest)))
	}
}

// pass runs a pass, in which only what is to fail may fail.
func (p *matrixPair) pass(t *testing.T, r matrixRound) replication.SyncResult {
	t.Helper()
	res, err := p.replicator.Sync(t.Context(), p.policy)
	failing := maps.Clone(r.failing)
	for _, e := range res.Errors {
		require.Contains(t, failing, e.Key, "%v", e)
		require.ErrorIs(t, e, failing[e.Key])
		delete(failing, e.Key)
	}
	require.Empty(t, failing, "these should have failed")
	if len(r.failing) > 0 {
		require.ErrorIs(t, err, replication.ErrObjectsFailed)
	} else {
		require.NoError(t, err)
	}
	p.failed = len(r.failing)
	return res
}

// A matrixRound is what the source of a pair has at a time.
type matrixRound struct {
	objects map[string]matrixObject // at the source
	held    map[string]matrixObject // those that the destination can hold
	failing map[string]error        // the class of error of the others
	asked   int                     // how many of them show only when a store is asked
}

// round returns the objects of a round that the source can hold.
func (p *matrixPair) round(t *testing.T, n int) matrixRound {
	writing := p.to.open(t)
	defer writing.Close()
	r := matrixRound{map[string]matrixObject{}, map[string]matrixObject{}, map[string]error{}, 0}
	properties := writing.Properties()
	for _, o := range matrixObjects(n, p.from.contentTags) {
		if p.from.unlists(o.key) || p.to.unlists(o.key) || p.from.refusal(p.reading.Properties(), o) != nil {
			continue
		}
		r.objects[o.key] = o
		class := p.to.refusal(properties, o)
		switch {
		case class == nil:
			r.held[o.key] = o
			continue
		case properties.CheckKey(p.to.prefix+o.key) == nil:
			r.asked++
		}
		r.failing[o.key] = class
	}
	return r
}

// changes returns the keys whose object is new or another one in after.
func changes(before, after map[string]matrixObject) (keys []string) {
	for key, o := range after {
		if old, ok := before[key]; !ok || !o.same(old) {
			keys = append(keys, key)
		}
	}
	return keys
}

func gone(before, after map[string]matrixObject) (keys []string) {
	for key := range before {
		if _, ok := after[key]; !ok {
			keys = append(keys, key)
		}
	}
	return keys
}

// write makes the source's objects those of a round. In the first one it tries the
// others too, which the source has to refuse.
func (p *matrixPair) write(t *testing.T, before, after matrixRound) {
	t.Helper()
	for _, key := range changes(before.objects, after.objects) {
		o := after.objects[key]
		_, err := p.reading.Put(t.Context(), key, backend.Bytes(o.content()), backend.PutOptions{Metadata: o.metadata})
		require.NoError(t, err)
	}
	for _, key := range gone(before.objects, after.objects) {
		require.NoError(t, p.reading.Delete(t.Context(), key, backend.DeleteOptions{}))
	}
	// Of a file whose time stamp a later change could repeat, and which went in parts,
	// a pass makes another copy.
	for settled := false; !settled; {
		settled = true
		for page, err := range p.reading.List(t.Context(), backend.ListOptions{}) {
			require.NoError(t, err)
			for _, o := range page {
				settled = settled && backend.Settled(o.Stamp)
			}
		}
	}
	for _, o := range matrixObjects(0, false) {
		if class := p.from.refusal(p.reading.Properties(), o); class != nil && before.objects == nil {
			_, err := p.reading.Put(t.Context(), o.key, backend.Bytes(o.content()), backend.PutOptions{Metadata: o.metadata})
			require.ErrorIs(t, err, class, "%q", o.key)
		}
	}
}

// requireBothSidesHold reads every object at both sides.
func (p *matrixPair) requireBothSidesHold(t *testing.T, r matrixRound) {
	t.Helper()
	times := requireHolds(t, p.from, r.objects, nil)
	requireHolds(t, p.to, r.held, times)
}

// requireHolds wants a side, opened anew, to hold these objects and no others. An
// object without a modification time gets one in a file system: at the source any,
// which is returned, and at the destination the source's, or any if it has none.
func requireHolds(t *testing.T, s *matrixSide, want map[string]matrixObject, times map[string]time.Time) map[string]time.Time {
	t.Helper()
	b := s.open(t)
	defer b.Close()
	var keys []string
	for key := range want {
		keys = append(keys, s.prefix+key)
	}
	slices.Sort(keys)
	require.Equal(t, keys, s.keys(t, b))
	found := map[string]time.Time{}
	for _, key := range keys {
		o, body, err := b.Open(t.Context(), key, backend.OpenOptions{})
		require.NoError(t, err)
		content, err := io.ReadAll(body)
		require.NoError(t, errors.Join(err, body.Close()), "%q", key)
		key = strings.TrimPrefix(key, s.prefix)
		require.True(t, bytes.Equal(want[key].content(), content), "%q has other bytes", key)

		metadata, wanted := *o.Metadata, want[key].metadata
		maps.DeleteFunc(metadata.User, func(name, _ string) bool { return strings.HasPrefix(name, backend.ReservedPrefix) })
		if found[key] = metadata.ModTime; wanted.ModTime.IsZero() {
			if wanted.ModTime = times[key]; wanted.ModTime.IsZero() && s.server == nil {
				wanted.ModTime = metadata.ModTime
			}
		}
		require.True(t, wanted.ModTime.Equal(metadata.ModTime), "%q: %v is now %v", key, wanted.ModTime, metadata.ModTime)
		wanted.ModTime, metadata.ModTime = time.Time{}, time.Time{}
		if len(wanted.User) == 0 && len(metadata.User) == 0 {
			wanted.User, metadata.User = nil, nil
		}
		require.Equal(t, wanted, metadata, "%q", key)
	}
	return found
}
