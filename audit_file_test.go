package replication

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func openTestAudit(t *testing.T, path string) *AuditFile {
	t.Helper()
	a, err := OpenAuditFile(path)
	require.NoError(t, err)
	t.Cleanup(func() { a.Close() })
	return a
}

// auditLines returns the records of a file and the lines that are none.
func auditLines(t *testing.T, path string) (records []AuditRecord, rest []string) {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	for line := range strings.Lines(string(data)) {
		var r AuditRecord
		if json.Unmarshal([]byte(line), &r) == nil {
			records = append(records, r)
		} else {
			rest = append(rest, line)
		}
	}
	return records, rest
}

func TestAuditFileHoldsOneRecordALine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	a := openTestAudit(t, path)
	at := time.Date(2024, 5, 1, 12, 0, 0, 500, time.UTC)
	record := AuditRecord{Time: at, Action: AuditObjectWritten, PolicyID: "dr", Key: "a<b>\n", Size: 7, SourceTag: "s", DestinationTag: "d"}
	require.NoError(t, a.Record(t.Context(), record))
	require.NoError(t, a.Record(t.Context(), AuditRecord{Time: at, Action: AuditPassFinished, PolicyID: "dr", Outcome: "1 synced"}))
	require.NoError(t, a.Close())
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, `{"time":"2024-05-01T12:00:00.0000005Z","action":"object_written","policy_id":"dr","key":"a<b>\n","size":7,"source_tag":"s","destination_tag":"d"}
{"time":"2024-05-01T12:00:00.0000005Z","action":"pass_finished","policy_id":"dr","outcome":"1 synced"}
`, string(data))
	if runtime.GOOS != "windows" {
		info, err := os.Stat(path)
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	}
}

func TestAuditFileIsAppendedTo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	for i := range 3 {
		a := openTestAudit(t, path)
		require.NoError(t, a.Record(t.Context(), AuditRecord{PolicyID: fmt.Sprint(i)}))
		require.NoError(t, a.Close())
	}
	records, rest := auditLines(t, path)
	require.Len(t, records, 3)
	require.Empty(t, rest)
}

func TestAuditFileGoesOnAfterATornLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	a := openTestAudit(t, path)
	for _, id := range []string{"one", "two"} {
		require.NoError(t, a.Record(t.Context(), AuditRecord{PolicyID: id}))
	}
	require.NoError(t, a.Close())
	whole, err := os.ReadFile(path)
	require.NoError(t, err)
	second := bytes.IndexByte(whole, '\n') + 1
	for cut := second; cut < len(whole); cut++ {
		require.NoError(t, os.WriteFile(path, whole[:cut], 0o600))
		a := openTestAudit(t, path)
		require.NoError(t, a.Record(t.Context(), AuditRecord{PolicyID: "three"}))
		require.NoError(t, a.Record(t.Context(), AuditRecord{PolicyID: "four"}))
		require.NoError(t, a.Close())
		data, err := os.ReadFile(path)
		require.NoError(t, err)
		require.True(t, bytes.HasPrefix(data, whole[:cut]), "nothing is taken back")
		records, _ := auditLines(t, path)
		var ids []string
		for _, r := range records {
			ids = append(ids, r.PolicyID)
		}
		require.Subset(t, ids, []string{"one", "three", "four"})
		require.NotContains(t, string(data), "\n\n")
	}
}

func TestAuditFileTakesRecordsOfManyGoroutines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	files := []*AuditFile{openTestAudit(t, path), openTestAudit(t, path)}
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			for n := range 100 {
				err := files[i%2].Record(context.Background(), AuditRecord{PolicyID: fmt.Sprint(i), Key: strings.Repeat("k", n*40)})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	records, rest := auditLines(t, path)
	require.Len(t, records, 800)
	require.Empty(t, rest)
}

func TestAuditFileRecordsAfterTheContextEnded(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	a := openTestAudit(t, path)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.NoError(t, a.Record(ctx, AuditRecord{PolicyID: "a"}))
	require.NoError(t, a.Sync())
	records, _ := auditLines(t, path)
	require.Len(t, records, 1)
}

func TestAuditFileErrorsNameThePath(t *testing.T) {
	dir := t.TempDir()
	_, err := OpenAuditFile(filepath.Join(dir, "missing", "audit.jsonl"))
	require.ErrorIs(t, err, os.ErrNotExist)
	require.ErrorContains(t, err, filepath.Join(dir, "missing", "audit.jsonl"))
	_, err = OpenAuditFile(dir)
	require.ErrorContains(t, err, dir+": not a regular file")

	path := filepath.Join(dir, "audit.jsonl")
	a := openTestAudit(t, path)
	require.NoError(t, a.Close())
	require.NoError(t, a.Close())
	for _, err := range []error{a.Record(t.Context(), AuditRecord{}), a.Sync()} {
		require.ErrorIs(t, err, os.ErrClosed)
		require.ErrorContains(t, err, path)
	}
}

func TestAuditFileBeginsANewLineAfterAFailedWrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	a := openTestAudit(t, path)
	require.NoError(t, a.Record(t.Context(), AuditRecord{PolicyID: "one"}))
	// A disk that was full in the middle of a line leaves this behind.
	_, err := a.file.WriteString(`{"time":"20`)
	require.NoError(t, err)
	a.torn = true
	require.NoError(t, a.Record(t.Context(), AuditRecord{PolicyID: "two"}))
	records, rest := auditLines(t, path)
	require.Len(t, records, 2)
	require.Equal(t, []string{"{\"time\":\"20\n"}, rest)
}

// A policy's settings, which may be secrets, must not find their way into the
// record: it has no field for them.
func TestAuditRecordHasNoPlaceForSettings(t *testing.T) {
	v := reflect.TypeFor[AuditRecord]()
	for i := range v.NumField() {
		kind := v.Field(i).Type.Kind()
		require.True(t, kind == reflect.String || kind == reflect.Int64 || v.Field(i).Name == "Time", v.Field(i).Name)
	}
}

func ExampleOpenAuditFile() {
	dir, err := os.MkdirTemp("", "audit")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "audit.jsonl")
	audit, err := OpenAuditFile(path)
	if err != nil {
		panic(err)
	}
	// Give it to New with WithAuditLog, and close it after the replicator.
	err = audit.Record(context.Background(), AuditRecord{
		Time:   time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC),
		Action: AuditPolicyAdded, PolicyID: "dr",
	})
	if err != nil {
		panic(err)
	}
	if err := audit.Close(); err != nil {
		panic(err)
	}
	line, err := os.ReadFile(path)
	if err != nil {
		panic(err)
	}
	fmt.Print(string(line))
	// Output: {"time":"2024-05-01T12:00:00Z","action":"policy_added","policy_id":"dr"}
}
