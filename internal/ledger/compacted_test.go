package ledger

import (
	"context"
	"errors"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
)

func TestAReaderThatBeganBeforeACompactionGoesOnBehindItsLastKey(t *testing.T) {
	b, _ := directory(t)
	writer := open(t, b)
	put(t, writer, "a", "b") // each a base segment
	put(t, writer, "c", "d")
	put(t, writer, "e", "f")
	require.Len(t, writer.current().Base, 3)
	reader, err := Open(t.Context(), Options{Backend: b, Prefix: "state/", Scratch: t.TempDir()})
	require.NoError(t, err)
	cursor, err := reader.Read(t.Context(), "", "")
	require.NoError(t, err)
	read := func() (out []string, err error) {
		for {
			e, err := cursor.Next(t.Context())
			if err != nil {
				return out, err
			}
			out = append(out, e.Key)
		}
	}
	first, err := cursor.Next(t.Context())
	require.NoError(t, err)
	require.Equal(t, "a", first.Key)

	u := writer.Begin()
	require.NoError(t, u.Delete(t.Context(), "d"))
	require.NoError(t, u.Put(t.Context(), entry("dd", 1)))
	require.NoError(t, u.Commit(t.Context()))
	require.NoError(t, writer.compact(t.Context()))

	// The segment that it had open is read to its end.
	got, err := read()
	require.Equal(t, []string{"b"}, got)
	require.ErrorIs(t, err, ErrDamaged)
	require.NoError(t, cursor.Close())
	reader, err = reader.Reread(t.Context(), err)
	require.NoError(t, err)
	cursor, err = reader.Read(t.Context(), "b", "")
	require.NoError(t, err)
	got, err = read()
	require.ErrorIs(t, err, io.EOF)
	require.Equal(t, []string{"c", "dd", "e", "f"}, got)
	require.NoError(t, cursor.Close())
}

// broken answers Open with an error once a cursor has begun.
type broken struct {
	backend.Backend
	err error
}

func (b *broken) Open(ctx context.Context, key string, opts backend.OpenOptions) (backend.Object, io.ReadCloser, error) {
	if b.err != nil {
		return backend.Object{}, nil, b.err
	}
	return b.Backend.Open(ctx, key, opts)
}

// Only a store's definite word that a segment is not there is damage: dropping a
// segment because of an outage would lose what it knows.
func TestAnOutageOfTheLedgersStoreIsNoDamage(t *testing.T) {
	for _, outage := range []error{backend.ErrUnavailable, backend.ErrStoreNotFound, context.Canceled, errors.New("permission denied")} {
		inner, _ := directory(t)
		b := &broken{Backend: inner}
		l := open(t, b)
		put(t, l, "a")
		put(t, l, "b")
		cursor, err := l.Read(t.Context(), "", "")
		require.NoError(t, err)
		b.err = outage
		for err == nil {
			_, err = cursor.Next(t.Context())
		}
		require.ErrorIs(t, err, outage)
		require.NotErrorIs(t, err, ErrDamaged)
		require.NoError(t, cursor.Close())
		_, err = Open(t.Context(), Options{Backend: b, Prefix: "state/", Scratch: t.TempDir()})
		require.ErrorIs(t, err, outage)
		require.NotErrorIs(t, err, ErrDamaged)
	}
}
