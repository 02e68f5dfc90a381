package replication

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/memory"
)

// history returns what is remembered of the world's passes.
func (w *world) history() []PassRecord {
	w.t.Helper()
	passes, err := w.r.History(w.t.Context(), "p", 0)
	require.NoError(w.t, err)
	return passes
}

func TestHistoryTellsHowEachPassEnded(t *testing.T) {
	w := newWorld(t)
	_, err := w.r.History(t.Context(), "p", 0)
	require.ErrorIs(t, err, ErrPolicyNotFound)
	require.NoError(t, w.r.AddPolicy(t.Context(), w.policy))
	require.Empty(t, w.history())
	before := time.Now()

	for i := range 3 {
		w.put(w.source, fmt.Sprint(i), "123")
	}
	w.put(w.destination, "1", "123")
	w.mustSync()
	got := w.history()[0]
	require.WithinRange(t, got.Started, before, time.Now())
	require.Equal(t, time.UTC, got.Started.Location())
	got.Started, got.Duration = time.Time{}, 0
	require.Equal(t, PassRecord{Outcome: PassDone, Synced: 2, Adopted: 1, BytesTotal: 6}, got)

	w.put(w.source, "bad", "1")
	w.refusing("bad")
	_, err = w.sync()
	require.ErrorIs(t, err, ErrObjectsFailed)
	require.Equal(t, PassObjectsFailed, w.history()[0].Outcome)
	require.Equal(t, err.Error(), w.history()[0].Error)
	require.EqualValues(t, 1, w.history()[0].Failed)
	require.EqualValues(t, 3, w.history()[0].Skipped)

	_, err = w.r.Replay(t.Context(), "p")
	require.ErrorIs(t, err, ErrObjectsFailed)
	require.True(t, w.history()[0].Replay)

	w.destination.before = nil
	for _, key := range []string{"0", "1", "2", "bad"} {
		w.remove(w.source, key)
	}
	_, err = w.sync()
	require.ErrorIs(t, err, ErrEmptySource)
	require.Equal(t, PassHeldBack, w.history()[0].Outcome)
	require.False(t, w.history()[0].Forced)
	w.mustSync(ForceDeletes())
	require.Equal(t, PassDone, w.history()[0].Outcome)
	require.True(t, w.history()[0].Forced)
	require.EqualValues(t, 2, w.history()[0].Deleted)
	require.Empty(t, w.history()[0].Error)

	ctx, cancel := context.WithCancel(t.Context())
	w.put(w.source, "a", "1")
	w.destination.before = func(op, _ string) error {
		if op == "put" {
			cancel()
			return backend.ErrUnavailable
		}
		return nil
	}
	_, err = w.r.Sync(ctx, w.policy)
	require.Error(t, err)
	require.Equal(t, PassInterrupted, w.history()[0].Outcome)

	w.destination.before = func(op, _ string) error { return backend.ErrStoreNotFound }
	_, err = w.sync()
	require.Error(t, err)
	require.Equal(t, PassFailed, w.history()[0].Outcome)
	require.Contains(t, w.history()[0].Error, "store not found")

	// The newest come first, and no more than asked for; a restart forgets none.
	all := w.history()
	require.Len(t, all, 7)
	w.restart(w.r.config.stateDir)
	require.Equal(t, all, w.history())
	two, err := w.r.History(t.Context(), "p", 2)
	require.NoError(t, err)
	require.Equal(t, all[:2], two)
}

func TestPlansAndVerificationsAreNoHistory(t *testing.T) {
	w := newWorld(t, memory.WithPageSize(10))
	require.NoError(t, w.r.AddPolicy(t.Context(), w.policy))
	w.put(w.source, "a", "1")
	w.mustSync()
	_, err := w.r.Plan(t.Context(), "p")
	require.NoError(t, err)
	_, err = w.r.Verify(t.Context(), "p")
	require.NoError(t, err)
	require.Len(t, w.history(), 1)
}

func TestHistoryFormatIsAsSpecified(t *testing.T) {
	const golden = `{"version":1,"started":"2026-01-02T03:04:05.000000006Z","duration_ms":7,"outcome":"held_back",` +
		`"synced":1,"adopted":2,"deleted":3,"failed":4,"skipped":5,"bytes_total":6,"forced":true,"replay":true,"error":"e"}` + "\n"
	passes, err := readHistory([]byte(golden), 0)
	require.NoError(t, err)
	require.Equal(t, []PassRecord{{
		Started: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC), Duration: 7 * time.Millisecond, Outcome: PassHeldBack,
		Synced: 1, Adopted: 2, Deleted: 3, Failed: 4, Skipped: 5, BytesTotal: 6, Forced: true, Replay: true, Error: "e",
	}}, passes)
	data, err := appendHistory(nil, passes[0])
	require.NoError(t, err)
	require.Equal(t, golden, string(data))
	text, err := json.Marshal(passes[0])
	require.NoError(t, err)
	require.Equal(t, strings.Replace(golden, `"version":1,`, "", 1), string(text)+"\n")
}

func TestHistoryKeepsTheLastThousandPasses(t *testing.T) {
	var data []byte
	var err error
	for i := range maxHistory + 5 {
		data, err = appendHistory(data, PassRecord{Synced: int64(i)})
		require.NoError(t, err)
	}
	passes, err := readHistory(data, 0)
	require.NoError(t, err)
	require.Len(t, passes, maxHistory)
	require.EqualValues(t, maxHistory+4, passes[0].Synced)
	require.EqualValues(t, 5, passes[maxHistory-1].Synced)

	long := passRecord(t.Context(), time.Now(), syncOptions{}, SyncResult{}, fmt.Errorf("%s", strings.Repeat("ü", maxHistoryError)))
	require.LessOrEqual(t, len(long.Error), maxHistoryError+len("…"))
	require.True(t, json.Valid([]byte(`"`+long.Error+`"`)))
	require.NotContains(t, long.Error, "\ufffd")
}

// However a history was cut off, what was whole of it is read and kept.
func TestATornLastLineIsNoPass(t *testing.T) {
	var whole []byte
	for i := range 3 {
		var err error
		whole, err = appendHistory(whole, PassRecord{Synced: int64(i)})
		require.NoError(t, err)
	}
	for length := range len(whole) + 1 {
		torn := whole[:length]
		want := bytes.Count(torn, []byte("\n"))
		passes, err := readHistory(torn, 0)
		require.NoError(t, err)
		require.Len(t, passes, want)
		next, err := appendHistory(torn, PassRecord{Synced: 9})
		require.NoError(t, err)
		passes, err = readHistory(next, 0)
		require.NoError(t, err)
		require.Len(t, passes, want+1)
		require.EqualValues(t, 9, passes[0].Synced)
	}
}

func TestADamagedHistoryIsRefusedAndKeepsNoPassFromRunning(t *testing.T) {
	w := newWorld(t)
	require.NoError(t, w.r.AddPolicy(t.Context(), w.policy))
	w.put(w.source, "a", "1")
	path := filepath.Join(w.r.config.stateDir, policyDir("p"), historyName)
	for text, want := range map[string]string{
		"{\n":                "line 1: unexpected end of JSON input; remove the file",
		"{\"version\": 2}\n": "line 1 has version 2; this program knows 1",
	} {
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		w.mustSync()
		_, err := w.r.History(t.Context(), "p", 0)
		require.ErrorContains(t, err, want)
		require.ErrorContains(t, err, historyName)
		// The newest can still be had.
		passes, err := w.r.History(t.Context(), "p", 1)
		require.NoError(t, err)
		require.Len(t, passes, 1)
		data, err := os.ReadFile(path)
		require.NoError(t, err)
		require.True(t, strings.HasPrefix(string(data), text), "nothing was thrown away")
	}
}

// A history is replaced whole: while the next one is being written, the file is
// the one before.
func TestAHistoryThatCannotBeWrittenFailsThePassAndLosesNoLine(t *testing.T) {
	w := newWorld(t)
	require.NoError(t, w.r.AddPolicy(t.Context(), w.policy))
	w.put(w.source, "a", "1")
	w.mustSync()
	path := filepath.Join(w.r.config.stateDir, policyDir("p"), historyName)
	before, err := os.Stat(path)
	require.NoError(t, err)
	open, err := os.Open(path)
	require.NoError(t, err)
	defer open.Close()
	w.mustSync()
	after, err := os.Stat(path)
	require.NoError(t, err)
	require.False(t, os.SameFile(before, after))
	var old bytes.Buffer
	_, err = old.ReadFrom(open)
	require.NoError(t, err)
	require.EqualValues(t, before.Size(), old.Len())

	require.NoError(t, os.Remove(path))
	require.NoError(t, os.Mkdir(path, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(path, "in the way"), nil, 0o600))
	_, err = w.sync()
	require.ErrorContains(t, err, historyName)
}

func FuzzReadHistory(f *testing.F) {
	good, err := appendHistory(nil, PassRecord{Outcome: PassDone})
	require.NoError(f, err)
	f.Add(good)
	f.Add([]byte("\n{}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		before, err := readHistory(data, 0)
		next, appendErr := appendHistory(data, PassRecord{Synced: 7})
		require.NoError(t, appendErr)
		after, afterErr := readHistory(next, 0)
		if err == nil {
			require.NoError(t, afterErr)
			require.Len(t, after, min(len(before)+1, maxHistory))
		}
		newest, err := readHistory(next, 1)
		require.NoError(t, err)
		require.EqualValues(t, 7, newest[0].Synced)
	})
}
