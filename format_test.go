package replication

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/memory"
)

func TestMarkerFormatIsAsSpecified(t *testing.T) {
	m := marker{policy: "dr/eu 1", source: fingerprint{size: 4096, tag: `"a b"`, stamp: "c~"}, operation: "OP.1", place: markedPlace("s3://host:1/bucket", "dir/key")}
	const golden = "2 dr%2Feu+1 4096 %22a+b%22 c~ OP.1 90d818c1f50a"
	require.Equal(t, golden, m.String())
	got, ok := readMarker(&backend.Metadata{User: map[string]string{markerKey: golden}})
	require.True(t, ok)
	require.Equal(t, m, got)
	for _, bad := range []string{"", "1 p 1 t s o x", "2 p 1 t s o", "2 p x t s o x", "2 %zz 1 t s o x", "2 p 1 t s o x more"} {
		_, ok := readMarker(&backend.Metadata{User: map[string]string{markerKey: bad}})
		require.False(t, ok, bad)
	}
}

func TestMarkersComeBackAsTheyWere(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := marker{
			policy: rapid.String().Draw(t, "policy"),
			source: fingerprint{
				size:  rapid.Int64().Draw(t, "size"),
				tag:   backend.Tag(rapid.String().Draw(t, "tag")),
				stamp: rapid.String().Draw(t, "stamp"),
			},
			operation: "op",
			place:     "0123456789ab",
		}
		text := m.String()
		require.Empty(t, strings.Trim(text, " !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~"),
			"a header value is printable ASCII")
		got, ok := readMarker(&backend.Metadata{User: map[string]string{markerKey: text}})
		require.True(t, ok)
		require.Equal(t, m, got)
	})
}

func TestStatusFormatIsAsSpecified(t *testing.T) {
	const golden = `{"version":1,"policy_id":"p","total_objects_synced":3,"total_objects_deleted":1,` +
		`"total_bytes_synced":300,"total_errors":2,"sync_count":2,"total_duration_ns":4000000000,` +
		`"last_sync_time":"2026-01-02T03:04:05Z","last_error":"e","weaker":["w"],` +
		`"last_result":{"synced":1,"adopted":2,"deleted":3,"failed":4,"skipped":5,"special":6,"bytes_total":7,"duration_ns":8}}`
	var s statusFile
	require.NoError(t, json.Unmarshal([]byte(golden), &s))
	text, err := json.Marshal(s)
	require.NoError(t, err)
	require.Equal(t, golden, string(text))
	status := s.status(Policy{ID: "p"})
	require.Equal(t, 2*time.Second, status.AverageSyncDuration)
	require.EqualValues(t, 4, status.LastResult.Failed)
}

func TestTotalsSurviveARestart(t *testing.T) {
	w := newWorld(t)
	require.NoError(t, w.r.AddPolicy(t.Context(), w.policy))
	w.put(w.source, "a", "12")
	w.mustSync()
	w.put(w.source, "b", "345")
	w.destination.before = func(op, key string) error {
		if op == "put" {
			return backend.ErrInvalidKey
		}
		return nil
	}
	_, err := w.sync()
	require.Error(t, err)
	w.restart(w.r.config.stateDir)
	status, err := w.r.Status(t.Context(), "p")
	require.NoError(t, err)
	require.EqualValues(t, 2, status.SyncCount)
	require.EqualValues(t, 1, status.TotalObjectsSynced)
	require.EqualValues(t, 2, status.TotalBytesSynced)
	require.EqualValues(t, 1, status.TotalErrors)
	require.EqualValues(t, 1, status.LastResult.Failed)
	require.Contains(t, status.LastError, "invalid key")
	require.False(t, status.LastSyncTime.IsZero())
}

func TestADamagedStatusIsRefusedAndLeftUntouched(t *testing.T) {
	w := newWorld(t)
	w.put(w.source, "a", "1")
	w.mustSync()
	path := filepath.Join(w.r.config.stateDir, policyDir("p"), statusName)
	require.NoError(t, os.WriteFile(path, []byte(`{"version":`), 0o600))
	_, err := w.sync()
	require.ErrorContains(t, err, "status.json")
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, `{"version":`, string(data))
}

func TestADamagedLedgerIsRebuiltWithoutCopying(t *testing.T) {
	for _, part := range []string{"manifest", "segment-*.parquet"} {
		t.Run(part, func(t *testing.T) {
			w := newWorld(t)
			for _, k := range []string{"a", "b", "c"} {
				w.put(w.source, k, k)
			}
			w.mustSync()
			dir := filepath.Join(w.r.config.stateDir, policyDir("p"), ledgerDir)
			found, err := filepath.Glob(filepath.Join(dir, part))
			require.NoError(t, err)
			require.Len(t, found, 1)
			require.NoError(t, os.Truncate(found[0], 20))
			res := w.mustSync()
			require.EqualValues(t, 3, res.Adopted)
			require.Zero(t, res.Synced)
			if part == "manifest" {
				require.FileExists(t, filepath.Join(dir, "manifest.damaged"))
			}
			w.requireQuiet()
		})
	}
}

func TestALeaseOfVersionOneIsRead(t *testing.T) {
	const golden = `{"version":1,"holder":{"pid":7,"host":"h","since":"2026-11-23T01:02:03Z"},"term":"T","beat":5,"place":"P","free":true}`
	state := &policyState{Backend: memory.NewBackend()}
	require.NoError(t, state.write(t.Context(), leaseName, []byte(golden+"\n")))
	l := &lease{state: state, policy: "p"}
	record, _, err := l.read(t.Context())
	require.NoError(t, err)
	data, err := json.Marshal(record)
	require.NoError(t, err)
	require.JSONEq(t, golden, string(data))
	require.Equal(t, "process 7 on h since 2026-11-23T01:02:03Z", record.Holder.String())

	for _, bad := range []string{`{"version":2}`, `{`} {
		require.NoError(t, state.write(t.Context(), leaseName, []byte(bad)))
		_, _, err = l.read(t.Context())
		require.ErrorContains(t, err, leaseName)
	}
}
