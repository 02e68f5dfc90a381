package ledger

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// The golden ledger was written by the first release of format 1. It is never
// written again: a program that cannot read it has broken the format.
const golden = "testdata/v1"

func goldenEntries() []Entry {
	return []Entry{
		{Key: "a", SourceTag: "s-1", SourceSize: 1, DestinationTag: "d-1"},
		{Key: "b/ü", SourceTag: "s-2", SourceSize: 1 << 40, SourceStamp: "c-2", DestinationTag: "d-2", Digest: []byte("0123456789abcdef")},
		{Key: "c", SourceTag: "s-3", DestinationTag: "d-3", Adopted: true},
	}
}

func TestTheGoldenLedgerIsStillRead(t *testing.T) {
	b, dir := directory(t)
	if os.Getenv("OBJREPL_WRITE_GOLDEN") != "" {
		l := open(t, b)
		u := l.Begin()
		for _, e := range append(goldenEntries(), Entry{Key: "removed"}) {
			require.NoError(t, u.Put(t.Context(), e))
		}
		require.NoError(t, u.Commit(t.Context()))
		require.NoError(t, u.Delete(t.Context(), "removed"))
		require.NoError(t, u.Commit(t.Context()))
		require.NoError(t, os.RemoveAll(golden))
		require.NoError(t, os.CopyFS(golden, os.DirFS(filepath.Join(dir, "state"))))
	}
	require.NoError(t, os.CopyFS(filepath.Join(dir, "copy"), os.DirFS(golden)))
	l, err := Open(t.Context(), Options{Backend: b, Prefix: "copy/", Scratch: t.TempDir()})
	require.NoError(t, err)
	require.Len(t, l.manifest.Base, 1)
	require.Len(t, l.manifest.Delta, 1)
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
