package replication

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/local"
	"github.com/objrepl/replication/internal/ledger"
)

// ledgerDir returns the directory of the ledger of the world's policy.
func (w *world) ledgerDir() string {
	return filepath.Join(w.r.config.stateDir, policyDir("p"), ledgerDir)
}

// segments returns the files of the ledger's segments: the largest, which is the
// base, and the deltas.
func (w *world) segments() (base string, deltas []string) {
	w.t.Helper()
	names, err := filepath.Glob(filepath.Join(w.ledgerDir(), "segment-*.parquet"))
	require.NoError(w.t, err)
	size := func(name string) int64 {
		info, err := os.Stat(name)
		require.NoError(w.t, err)
		return info.Size()
	}
	slices.SortFunc(names, func(a, b string) int { return int(size(b) - size(a)) })
	require.Len(w.t, names, 3, "the base, what was written and what was deleted")
	return names[0], names[1:]
}

// Whatever part of a ledger is damaged in whatever way, one pass finds it, says
// so, and brings the destination up to date: also where the source lost or
// changed something meanwhile. It copies nothing that the destination has, and
// touches nothing of others.
func TestEveryDamageOfTheLedgerIsHealedByOnePass(t *testing.T) {
	damages := map[string]func(name string) error{
		"missing":   os.Remove,
		"empty":     func(name string) error { return os.Truncate(name, 0) },
		"truncated": func(name string) error { return os.Truncate(name, 100) },
		"flipped bit": func(name string) error {
			data, err := os.ReadFile(name)
			if err != nil {
				return err
			}
			data[len(data)/2] ^= 1
			return os.WriteFile(name, data, 0o600)
		},
	}
	for _, part := range []string{"manifest", "base", "deltas"} {
		for what, damage := range damages {
			t.Run(part+" "+what, func(t *testing.T) {
				w := newWorld(t)
				for i := range 40 {
					w.put(w.source, fmt.Sprintf("k%02d", i), "1")
				}
				w.put(w.destination, "somebody else's", "1")
				w.mustSync()
				w.put(w.source, "k10", "2")
				w.put(w.source, "k11", "2")
				w.remove(w.source, "k12")
				w.mustSync()
				w.requireQuiet()
				base, deltas := w.segments()
				for _, name := range map[string][]string{"manifest": {filepath.Join(w.ledgerDir(), "manifest")}, "base": {base}, "deltas": deltas}[part] {
					require.NoError(t, damage(name))
				}
				w.remove(w.source, "k20") // known by the base
				w.remove(w.source, "k10") // known by a delta
				w.put(w.source, "k30", "2")
				w.put(w.source, "k11", "3")

				var log bytes.Buffer
				w.r.config.logger = slog.New(slog.NewTextHandler(&log, nil))
				res := w.mustSync()
				require.Contains(t, log.String(), "damaged")
				require.EqualValues(t, 2, res.Synced, "k30 and k11 alone")
				require.EqualValues(t, 2, res.Deleted, "k20 and k10")
				want := append(w.contents(w.source), "somebody else's=1")
				require.Equal(t, want, w.contents(w.destination))
				log.Reset()
				w.requireQuiet()
				require.NotContains(t, log.String(), "damaged")
			})
		}
	}
}

func TestALedgerOfALaterVersionStopsThePassAndStaysAsItIs(t *testing.T) {
	w := newWorld(t)
	w.put(w.source, "a", "1")
	w.mustSync()
	name := filepath.Join(w.ledgerDir(), "manifest")
	const later = "objrepl-ledger 2 and whatever comes then\n"
	require.NoError(t, os.WriteFile(name, []byte(later), 0o600))
	w.put(w.source, "b", "1")
	w.remove(w.source, "a")
	_, err := w.sync(ForceDeletes())
	require.ErrorContains(t, err, "ledger manifest has format version 2; this program reads version 1")
	_, err = w.r.PlanOf(t.Context(), w.policy)
	require.ErrorContains(t, err, "format version 2")
	require.Equal(t, []string{"a=1"}, w.contents(w.destination))
	data, err := os.ReadFile(name)
	require.NoError(t, err)
	require.Equal(t, later, string(data))
}

// A crash between a commit's segments and its manifest leaves segments that no
// manifest names: the next pass removes them, and finds what they knew.
func TestSegmentsOfACrashedCommitAreRemovedByTheNextPass(t *testing.T) {
	w := newWorld(t)
	w.put(w.source, "a", "1")
	w.mustSync()
	b, err := local.Driver.Open(t.Context(), backend.Settings{"path": w.ledgerDir()})
	require.NoError(t, err)
	defer b.Close()
	writer, err := ledger.Open(t.Context(), ledger.Options{Backend: b, Scratch: t.TempDir()})
	require.NoError(t, err)
	require.NoError(t, writer.Take(t.Context(), "killed"))
	u := writer.Begin()
	for _, key := range []string{"b", "a"} { // going back ends a segment
		require.NoError(t, u.Put(t.Context(), ledger.Entry{Key: key, DestinationTag: "never"}))
	}
	require.NoError(t, u.Discard())
	count := func() int {
		names, err := filepath.Glob(filepath.Join(w.ledgerDir(), "segment-*"))
		require.NoError(t, err)
		return len(names)
	}
	require.Equal(t, 2, count())
	w.requireQuiet()
	require.Equal(t, 1, count())
}
