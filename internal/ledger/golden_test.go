package ledger

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// The golden segment was written by the first release of format 1. It is never
// written again: a program that cannot read it has broken the format.
const golden = "testdata/ledger-v1.parquet"

func goldenEntries() []Entry {
	return []Entry{
		{Key: "a", SourceTag: "s-1", SourceSize: 1, DestinationTag: "d-1"},
		{Key: "b/ü", SourceTag: "s-2", SourceSize: 1 << 40, SourceStamp: "c-2", DestinationTag: "d-2", Digest: []byte("0123456789abcdef")},
		{Key: "c", SourceTag: "s-3", DestinationTag: "d-3", Adopted: true},
	}
}

func TestGoldenSegmentIsStillRead(t *testing.T) {
	l, dir := open(t)
	if os.Getenv("OBJREPL_WRITE_GOLDEN") != "" {
		u := l.Begin()
		for _, e := range goldenEntries() {
			require.NoError(t, u.Put(e))
		}
		require.NoError(t, u.Commit())
		data, err := os.ReadFile(filepath.Join(dir, segmentName))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(golden, data, 0o644))
	}
	data, err := os.ReadFile(golden)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, segmentName), data, 0o644))
	want := goldenEntries()
	got := readAll(t, l)
	require.Len(t, got, len(want))
	for i := range want {
		if len(want[i].Digest) == 0 {
			require.Empty(t, got[i].Digest)
			got[i].Digest = nil
		}
		require.Equal(t, want[i], got[i])
	}
}

func TestALaterFormatVersionIsRefused(t *testing.T) {
	l, dir := open(t)
	data, err := os.ReadFile(golden)
	require.NoError(t, err)
	// The version stands in the footer as a length-prefixed string "1".
	i := lastIndex(data, versionKey)
	require.Positive(t, i)
	data[i+len(versionKey)+2] = '2'
	require.NoError(t, os.WriteFile(filepath.Join(dir, segmentName), data, 0o644))
	_, err = l.Read()
	require.ErrorContains(t, err, `format version "2"`)
	require.NotErrorIs(t, err, ErrDamaged, "a later version is not damage, and is not set aside")
}

func lastIndex(data []byte, s string) int {
	for i := len(data) - len(s); i >= 0; i-- {
		if string(data[i:i+len(s)]) == s {
			return i
		}
	}
	return -1
}
