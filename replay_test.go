package replication

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
)

// dead makes dead letters of all that a world's source has: its destination
// refuses these operations in one pass.
func (w *world) dead(ops ...string) {
	w.t.Helper()
	require.NoError(w.t, w.r.AddPolicy(w.t.Context(), w.policy))
	w.destination.before = func(o, _ string) error {
		if slices.Contains(ops, o) {
			return backend.ErrInvalidMetadata
		}
		return nil
	}
	_, err := w.sync()
	require.ErrorIs(w.t, err, ErrObjectsFailed)
	w.destination.before = nil
}

func TestAReplayOfManyAsksForEachOnceAtMost(t *testing.T) {
	w := newWorld(t)
	const n = 2*lettersAtOnce + 500
	for i := range n {
		w.put(w.source, fmt.Sprintf("%05d", i*7), "v")
	}
	w.dead("put")
	w.put(w.source, "00001", "v") // no dead letter
	w.source.calls()
	res, err := w.replay()
	require.NoError(t, err)
	require.EqualValues(t, n, res.Synced)
	stats := 0
	for _, call := range w.source.calls() {
		if call == "stat" {
			stats++
		}
	}
	require.LessOrEqual(t, stats, n)
	require.Len(t, w.contents(w.destination), n)
	require.EqualValues(t, 1, w.mustSync().Synced)
	w.requireEqual()
	w.requireQuiet()
}

func TestAReplayCopiesWithinTheStore(t *testing.T) {
	w := newWithinWorld(t)
	w.put(w.source, "a", "1")
	w.put(w.source, "b", "1")
	w.dead("copy", "put")
	w.source.calls()
	res, err := w.replay()
	require.NoError(t, err)
	require.EqualValues(t, 2, res.BytesInStore)
	require.NotContains(t, w.source.calls(), "open")
	require.Empty(t, w.intentFiles())
	w.requireEqual()
	w.requireQuiet()
}

func TestAReplayWaitsForAStoreThatGoesAway(t *testing.T) {
	w := newWorld(t)
	w.patience = time.Hour
	w.restart(w.r.config.stateDir)
	for i := range 20 {
		w.put(w.source, fmt.Sprintf("%02d", i), "v")
	}
	w.dead("put")
	calls := 0
	w.source.before = func(op, _ string) error {
		if op != "stat" {
			return nil
		}
		w.source.mu.Lock()
		defer w.source.mu.Unlock()
		if calls++; calls > 10 && calls < 25 {
			return backend.ErrUnavailable
		}
		return nil
	}
	res, err := w.replay()
	require.NoError(t, err)
	require.EqualValues(t, 20, res.Synced)
}

func TestAReplayHealsTheLedgerThatItReads(t *testing.T) {
	w := newWorld(t)
	w.put(w.source, "a", "1")
	w.put(w.source, "b", "1")
	w.mustSync()
	w.put(w.source, "b", "2")
	w.dead("put")
	names, err := filepath.Glob(filepath.Join(w.ledgerDir(), "segment-*.parquet"))
	require.NoError(t, err)
	for _, name := range names {
		require.NoError(t, os.Truncate(name, 10))
	}
	var log bytes.Buffer
	w.r.config.logger = slog.New(slog.NewTextHandler(&log, nil))
	res, err := w.replay()
	require.NoError(t, err)
	require.EqualValues(t, 1, res.Synced)
	require.Contains(t, log.String(), "damaged")
	w.remove(w.source, "a") // which the ledger has lost, and a replay does not look for
	require.EqualValues(t, 1, w.mustSync().Deleted)
	w.requireEqual()
}

func TestAReplayEndsItsOwnDoubtAndNoOlderOne(t *testing.T) {
	w := newWorld(t)
	w.put(w.source, "a", "1")
	doubt := filepath.Join(w.r.config.stateDir, policyDir("p"), doubtName)
	w.dead("put")
	_, err := w.replay()
	require.NoError(t, err)
	require.NoFileExists(t, doubt)

	w.put(w.source, "b", "1")
	w.refusing("b")
	_, err = w.sync()
	require.ErrorIs(t, err, ErrObjectsFailed)
	w.destination.before = nil
	require.NoError(t, os.WriteFile(doubt, nil, 0o600))
	_, err = w.replay()
	require.NoError(t, err)
	require.FileExists(t, doubt)
}

func TestAReplayClaimsWhatAPassInDoubtCouldNot(t *testing.T) {
	w := newWorld(t)
	w.policy.MaxDelete = "off"
	require.NoError(t, w.r.AddPolicy(t.Context(), w.policy))
	w.put(w.source, "a", "1")
	w.put(w.source, "b", "1")
	w.mustSync()
	w.loseLedger()
	w.remove(w.source, "a")
	w.failing("stat", "a")
	_, err := w.sync()
	require.ErrorIs(t, err, ErrObjectsFailed)
	w.requireAttempts(1, "a")
	w.destination.before = nil
	res, err := w.replay()
	require.NoError(t, err)
	require.EqualValues(t, 1, res.Deleted)
	w.requireEqual()
}

// A ledger entry in the range of a shard that its key is not asked for in would look
// like one that is gone from both sides.
func TestNoShardOfAReplayHasAKeyOfAnother(t *testing.T) {
	old := map[string]DeadLetter{"b": {}} // and many that only just come before it
	for i := range 2 * lettersAtOnce {
		old[fmt.Sprintf("%s%04d", below("b"), i)] = DeadLetter{}
	}
	p := &pass{dead: newDeadLetters(old), source: new(endpoint), accept: func(string) bool { return true }}
	shards := p.deadShards()
	require.Len(t, shards, 3)
	for i, part := range shards {
		for j, other := range shards {
			for _, key := range other.keys {
				require.Equal(t, i == j, part.after < key && key <= part.until)
			}
		}
	}
}
