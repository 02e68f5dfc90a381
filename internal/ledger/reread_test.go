package ledger

import (
	"io"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAReaderBesideAWriterGoesOnWithTheLedgerAsItIsNow(t *testing.T) {
	b, _ := directory(t)
	writer := open(t, b)
	put := func(keys ...string) {
		u := writer.Begin()
		for _, k := range keys {
			require.NoError(t, u.Put(t.Context(), Entry{Key: k, DestinationTag: "d"}))
		}
		require.NoError(t, u.Commit(t.Context()))
	}
	put("a", "b")
	reader, err := Open(t.Context(), Options{Backend: b, Prefix: writer.files.prefix, Scratch: t.TempDir()})
	require.NoError(t, err)
	put("b", "c")
	require.NoError(t, writer.compact(t.Context()))

	_, err = reader.Read(t.Context(), "", "")
	require.ErrorIs(t, err, ErrDamaged)
	reader, err = reader.Reread(t.Context(), err)
	require.NoError(t, err)
	require.Len(t, readAll(t, reader), 3)
}

func TestDamageThatStaysIsLeftOutAndNothingIsStored(t *testing.T) {
	b, _ := directory(t)
	writer := open(t, b)
	for _, k := range []string{"a", "b", "c"} {
		u := writer.Begin()
		require.NoError(t, u.Put(t.Context(), Entry{Key: k, DestinationTag: "d"}))
		require.NoError(t, u.Commit(t.Context()))
	}
	before := writer.current()
	l := writer
	for i := range 2 {
		l = damaged(t, l, before.Base[i])
	}
	require.Len(t, readAll(t, l), 1)
	now, err := Open(t.Context(), Options{Backend: b, Prefix: writer.files.prefix, Scratch: t.TempDir()})
	require.NoError(t, err)
	require.Equal(t, before, now.current())
	_, err = l.Reread(t.Context(), io.ErrUnexpectedEOF)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
}

// damaged returns what a reader has left after it found a segment damaged.
func damaged(t *testing.T, l *Ledger, s segmentInfo) *Ledger {
	l, err := l.Reread(t.Context(), &damage{s, "is missing"})
	require.NoError(t, err)
	return l
}
