package replication

import (
	"context"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/memory"
)

// likeMinIO makes a store compare no tags when it deletes.
func likeMinIO(p *backend.Properties) {
	p.Delete, p.BulkDelete = backend.Conditions{}, backend.Conditions{}
}

// filled makes a world whose destination has so many objects more than its
// source, all of the policy's own, and a page of which holds pageSize.
func filled(t *testing.T, n, pageSize int, change func(*backend.Properties)) *world {
	w := newWorld(t, memory.WithPageSize(pageSize), memory.WithProperties(change))
	w.policy.MaxDelete = "off"
	w.put(w.source, "stays", "1")
	for i := range n {
		w.put(w.source, fmt.Sprintf("gone%04d", i), "1")
	}
	w.mustSync()
	for i := range n {
		w.remove(w.source, fmt.Sprintf("gone%04d", i))
	}
	w.source.calls()
	w.destination.calls()
	return w
}

func counted(calls []string) map[string]int {
	out := map[string]int{}
	for _, op := range calls {
		out[op]++
	}
	return out
}

func TestManyDeletionsAreFewRequests(t *testing.T) {
	for name, change := range map[string]func(*backend.Properties){"conditional": func(*backend.Properties) {}, "like MinIO": likeMinIO} {
		t.Run(name, func(t *testing.T) {
			w := filled(t, 2500, 1000, change)
			require.EqualValues(t, 2500, w.mustSync().Deleted)
			w.requireEqual()
			source, destination := counted(w.source.calls()), counted(w.destination.calls())
			require.Equal(t, 3, destination["delete"])
			require.Zero(t, destination["stat"])
			require.Zero(t, source["stat"])
			w.requireQuiet()
		})
	}
}

// A range with much in it that stays is not listed to its end.
func TestKeysThatLieFarApartAreAskedForOneByOne(t *testing.T) {
	w := newWorld(t, memory.WithPageSize(10), memory.WithProperties(likeMinIO))
	w.policy.MaxDelete = "off"
	for i := range 2000 {
		w.put(w.source, fmt.Sprintf("k%04d", i), "1")
	}
	w.mustSync()
	for i := 0; i < 2000; i += 50 {
		w.remove(w.source, fmt.Sprintf("k%04d", i))
	}
	w.destination.calls()
	w.source.calls()
	require.EqualValues(t, 40, w.mustSync().Deleted)
	destination := counted(w.destination.calls())
	require.Equal(t, 1, destination["delete"])
	require.GreaterOrEqual(t, destination["stat"], 39)
	require.LessOrEqual(t, destination["list"], 201+defaultBatching.pages+1)
	w.requireEqual()
}

func TestABatchDeletesOnlyTheVersionThatWasListed(t *testing.T) {
	for name, look := range map[string]batching{"by a listing": {2, 1, 100}, "by HEADs": {2, 1 << 20, 1}} {
		t.Run(name, func(t *testing.T) {
			w := filled(t, 20, 5, likeMinIO)
			w.r.batching, w.r.shards = look, 1
			// Somebody replaces an object after the pass has listed it.
			replaced := false
			listings := 0
			w.destination.listing = func() {
				if listings++; listings == 2 && look.pages > 1 {
					w.put(w.destination, "gone0007", "theirs")
				}
			}
			w.destination.before = func(op, key string) error {
				if op == "stat" && !replaced && look.pages == 1 {
					replaced = true
					w.put(w.destination, "gone0019", "theirs")
				}
				return nil
			}
			w.policy.Concurrency = 1
			res, err := w.sync()
			require.ErrorIs(t, err, ErrObjectsFailed)
			require.ErrorIs(t, err, ErrDrift)
			require.EqualValues(t, 1, res.Failed)
			require.EqualValues(t, 19, res.Deleted)
			require.Len(t, w.contents(w.destination), 2)
			require.Contains(t, strings.Join(w.contents(w.destination), " "), "=theirs")
		})
	}
}

// An answer that is lost tells nothing, and what the next attempt is told is
// not taken for a change by somebody else.
func TestABatchWhoseAnswerIsLostIsLookedAt(t *testing.T) {
	for name, change := range map[string]func(*backend.Properties){"conditional": func(*backend.Properties) {}, "like MinIO": likeMinIO} {
		t.Run(name, func(t *testing.T) {
			w := filled(t, 20, 5, change)
			lost := map[string]bool{}
			w.destination.after = func(op, key string) error {
				if op == "delete" && !lost[key] {
					lost[key] = true
					return backend.ErrUnavailable
				}
				return nil
			}
			require.EqualValues(t, 20, w.mustSync().Deleted)
			w.destination.after = nil
			w.requireEqual()
			w.requireQuiet()
		})
	}
}

func TestOneDeletionThatFailsFailsNoOther(t *testing.T) {
	w := filled(t, 20, 5, likeMinIO)
	w.destination.before = func(op, key string) error {
		if op == "delete" && key == "gone0003" {
			return fs.ErrPermission
		}
		return nil
	}
	res, err := w.sync()
	require.ErrorIs(t, err, fs.ErrPermission)
	require.EqualValues(t, 19, res.Deleted)
	require.EqualValues(t, 1, res.Failed)
	require.Equal(t, "gone0003", res.Errors[0].Key)
	w.destination.before = nil
	require.EqualValues(t, 1, w.mustSync().Deleted, "the ledger still knows it")
	w.requireEqual()
}

func TestABatchGoesOnAfterAStoreWasBusy(t *testing.T) {
	w := filled(t, 20, 5, likeMinIO)
	var calls atomic.Int64
	w.destination.before = func(op, key string) error {
		if op == "delete" && calls.Add(1)%3 == 0 {
			return backend.ErrThrottled
		}
		return nil
	}
	require.EqualValues(t, 20, w.mustSync().Deleted)
	w.requireEqual()
}

// What comes back at the source while its copy is deleted is copied again.
func TestTheSourceIsLookedAtAfterABatch(t *testing.T) {
	for name, look := range map[string]batching{"by a listing": {2, 1, 100}, "by HEADs": {2, 1 << 20, 1}} {
		t.Run(name, func(t *testing.T) {
			w := filled(t, 20, 5, likeMinIO)
			w.r.batching = look
			w.destination.after = func(op, key string) error {
				if op == "delete" && key == "gone0011" {
					w.put(w.source, key, "back")
				}
				return nil
			}
			res := w.mustSync()
			require.EqualValues(t, 20, res.Deleted)
			require.EqualValues(t, 1, res.Synced)
			require.Contains(t, w.contents(w.destination), "gone0011=back")
			w.requireEqual()
			w.requireQuiet()
		})
	}
}

// Where one deletion is exact and many are not, there are none of many.
func TestDeletionsAreNotMadeLessExact(t *testing.T) {
	w := filled(t, 20, 5, func(p *backend.Properties) { p.BulkDelete = backend.Conditions{} })
	require.EqualValues(t, 20, w.mustSync().Deleted)
	require.Equal(t, 20, counted(w.destination.calls())["delete"])
}

func TestABatchIsOnRecordObjectByObject(t *testing.T) {
	w := filled(t, 5, 5, likeMinIO)
	var audited []string
	w.r.config.audit = auditFunc(func(r AuditRecord) {
		if r.Action == AuditObjectDeleted {
			audited = append(audited, r.Key)
		}
	})
	w.policy.Concurrency = 1
	w.mustSync()
	slices.Sort(audited)
	require.Equal(t, []string{"gone0000", "gone0001", "gone0002", "gone0003", "gone0004"}, audited)
}

// Keys that are asked for are found by either way, whatever lies between them.
func TestAListingOfTheirRangeFindsWhatIsThere(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		key := rapid.StringMatching(`[a0/ä\x{10FFFF}~ ]{1,3}`)
		s := memory.NewBackend(memory.WithPageSize(rapid.IntRange(1, 4).Draw(rt, "page")))
		prefix := rapid.SampledFrom([]string{"", "p/"}).Draw(rt, "prefix")
		have := map[string]backend.Tag{}
		for _, k := range rapid.SliceOf(key).Draw(rt, "there") {
			o, err := s.Put(t.Context(), prefix+k, backend.Bytes(nil), backend.PutOptions{})
			require.NoError(rt, err)
			have[k] = o.Tag
		}
		keys := rapid.SliceOfNDistinct(key, 1, 10, rapid.ID[string]).Draw(rt, "asked for")
		slices.Sort(keys)
		p := &pass{again: retrier{attempts: 1}, batching: batching{2, 1, rapid.IntRange(1, 5).Draw(rt, "pages")}, pool: newPool(2)}
		defer p.pool.close()
		there, err := p.look(t.Context(), newEndpoint(s, "", "", prefix), keys)
		require.NoError(rt, err)
		for i, k := range keys {
			require.Equal(rt, have[k] != "", there[i] != nil, "%q", k)
			if there[i] != nil {
				require.Equal(rt, have[k], there[i].Tag)
			}
			require.Less(rt, below(k), k)
			require.Empty(rt, below(""), "an object may have the prefix itself for its key")
		}
	})
}

func TestAStoreThatIsAwayIsNotAskedForEveryKey(t *testing.T) {
	w := filled(t, 100, 5, likeMinIO)
	w.r.batching = batching{2, 1 << 20, 1}
	w.policy.Concurrency = 1
	asked := 0
	w.destination.before = func(op, _ string) error {
		if op == "stat" {
			asked++
			return backend.ErrUnavailable
		}
		return nil
	}
	_, err := w.sync()
	require.Error(t, err)
	require.LessOrEqual(t, asked, 20, "attempts for one key, and the question whether the store is there")
	require.Len(t, w.contents(w.destination), 101)
}

type auditFunc func(AuditRecord)

func (f auditFunc) Record(_ context.Context, r AuditRecord) error {
	f(r)
	return nil
}
