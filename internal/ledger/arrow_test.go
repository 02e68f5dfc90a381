package ledger

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/internal/testutil"
)

// arrowRows reads a segment with Apache Arrow, which shares no Parquet code
// with the ledger, and wants it to have the form that docs/FORMAT.md specifies.
func arrowRows(t *testing.T, name string) (rows []row) {
	t.Helper()
	found := testutil.ParquetRows(t, name, func(line json.RawMessage) {
		var r struct {
			Key            []byte `json:"key"`
			SourceTag      []byte `json:"source_tag"`
			SourceSize     int64  `json:"source_size"`
			SourceStamp    []byte `json:"source_stamp"`
			DestinationTag []byte `json:"destination_tag"`
			Digest         []byte `json:"digest"`
			Flags          int32  `json:"flags"`
		}
		require.NoError(t, json.Unmarshal(line, &r))
		rows = append(rows, row{string(r.Key), string(r.SourceTag), r.SourceSize, string(r.SourceStamp), string(r.DestinationTag), r.Digest, r.Flags})
	})
	require.Equal(t, testutil.ParquetFile{
		Metadata: map[string]string{"objrepl.ledger.version": "1"},
		Columns: []testutil.ParquetColumn{
			{Name: "key", Physical: "BYTE_ARRAY", Logical: "String"},
			{Name: "source_tag", Physical: "BYTE_ARRAY", Logical: "String"},
			{Name: "source_size", Physical: "INT64", Logical: "Int(bitWidth=64, isSigned=true)"},
			{Name: "source_stamp", Physical: "BYTE_ARRAY", Logical: "String"},
			{Name: "destination_tag", Physical: "BYTE_ARRAY", Logical: "String"},
			{Name: "digest", Physical: "BYTE_ARRAY", Logical: "None"},
			{Name: "flags", Physical: "INT32", Logical: "Int(bitWidth=32, isSigned=true)"},
		},
		Rows: int64(len(rows)),
	}, found)
	return rows
}

// requireRows compares one by one: a difference of 50,000 rows is no message.
func requireRows(t *testing.T, want, got []row) {
	t.Helper()
	require.Len(t, got, len(want))
	for i := range want {
		if len(want[i].Digest) == 0 {
			want[i].Digest = []byte{}
		}
		require.Equal(t, want[i], got[i])
	}
}

func TestArrowReadsTheGoldenLedger(t *testing.T) {
	rows := map[int][]row{}
	names, err := filepath.Glob(filepath.Join(golden, "segment-*.parquet"))
	require.NoError(t, err)
	for _, name := range names {
		found := arrowRows(t, name)
		rows[len(found)] = found
	}
	var base []row
	for _, e := range append(goldenEntries(), Entry{Key: "removed"}) {
		base = append(base, e.row())
	}
	require.Len(t, rows, 2)
	requireRows(t, base, rows[4])
	requireRows(t, []row{{Key: "removed", Flags: 2}}, rows[1])
}

// oddEntries are in key order.
func oddEntries() []Entry {
	all := strings.Repeat("\x00\x01 /\\\"'\n~\x7f", 3)
	return []Entry{
		{Key: ""},
		{Key: "\x00", SourceTag: "\x00", DestinationTag: all},
		{Key: "a", SourceTag: `"0123456789abcdef-12"`, SourceSize: -1, DestinationTag: "\xff\xfe not UTF-8 \xc3"},
		{Key: "a" + all, SourceSize: 1<<63 - 1, SourceStamp: "c~", Adopted: true},
		{Key: strings.Repeat("ab/", 400), SourceTag: "longer than S3 takes", Digest: []byte("0123456789abcdef")},
		{Key: strings.Repeat("b", 3*pageBytes), SourceTag: strings.Repeat("longer than a page ", 8000), Digest: make([]byte, DigestSize)},
		{Key: "ü/日本語/🙂", SourceSize: 1, Adopted: true},
		{Key: "\xff\xff not UTF-8", DestinationTag: "d"},
	}
}

func TestArrowReadsEveryRowOfBaseAndDelta(t *testing.T) {
	store, dir := directory(t)
	l := open(t, store)
	path := func(s segmentInfo) string { return filepath.Join(dir, "state", s.Name) }

	var base, delta []row
	u := l.Begin()
	put := func(rows *[]row, e Entry) {
		require.NoError(t, u.Put(t.Context(), e))
		*rows = append(*rows, e.row())
	}
	for _, e := range oddEntries() {
		put(&base, e)
	}
	require.NoError(t, u.Commit(t.Context()))
	require.Len(t, l.current().Base, 1)
	requireRows(t, base, arrowRows(t, path(l.current().Base[0])))

	u = l.Begin()
	for i, e := range oddEntries() {
		if i%2 == 0 {
			require.NoError(t, u.Delete(t.Context(), e.Key))
			delta = append(delta, row{Key: e.Key, Flags: flagGone})
			continue
		}
		e.Adopted, e.SourceTag = !e.Adopted, ""
		put(&delta, e)
	}
	require.NoError(t, u.Commit(t.Context()))
	require.Len(t, l.current().Delta, 1)
	requireRows(t, delta, arrowRows(t, path(l.current().Delta[0])))
}

func TestArrowReadsFullSegments(t *testing.T) {
	store, dir := directory(t)
	l := open(t, store)
	const n = rowsPerRowGroup + 1000
	fill(t, l, n)
	// After a compaction the delta's rows stand in the base.
	u := l.Begin()
	var want []row
	for i := range n {
		e := entry(fmt.Sprintf("%08d", i), int64(i))
		if i%7 == 0 {
			require.NoError(t, u.Delete(t.Context(), e.Key))
			continue
		}
		if i%5 == 0 {
			e = entry(e.Key, int64(i)*3)
			require.NoError(t, u.Put(t.Context(), e))
		}
		want = append(want, e.row())
	}
	require.NoError(t, u.Commit(t.Context()))
	require.NoError(t, l.compact(t.Context()))
	var got []row
	for _, s := range l.current().Base {
		got = append(got, arrowRows(t, filepath.Join(dir, "state", s.Name))...)
	}
	requireRows(t, want, got)
}
