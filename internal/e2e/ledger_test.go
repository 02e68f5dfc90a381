package e2e

import (
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/internal/ledger"
)

// A ledger in a bucket: its manifest is replaced with conditional writes, by one
// writer, and what commits replaced is removed.
func TestALedgerLivesInABucket(t *testing.T) {
	for name, fresh := range stateStores {
		t.Run(name, func(t *testing.T) {
			store := fresh(t)
			b, err := store.driver.Open(t.Context(), store.settings)
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, b.Close()) })
			open := func() *ledger.Ledger {
				l, err := ledger.Open(t.Context(), ledger.Options{Backend: b, Prefix: "state/p/", Scratch: t.TempDir()})
				require.NoError(t, err)
				return l
			}
			keys := func(l *ledger.Ledger) (out []string) {
				c, err := l.Read(t.Context(), "", "")
				require.NoError(t, err)
				for {
					e, err := c.Next(t.Context())
					if errors.Is(err, io.EOF) {
						break
					}
					require.NoError(t, err)
					out = append(out, e.Key)
				}
				require.NoError(t, c.Close())
				return out
			}
			objects := func() (n int) {
				for page, err := range b.List(t.Context(), backend.ListOptions{Prefix: "state/p/"}) {
					require.NoError(t, err)
					n += len(page)
				}
				return n
			}

			first := open()
			require.Empty(t, keys(first))
			require.NoError(t, first.Take(t.Context(), "first"))
			var want []string
			for i := range 12 { // the last ones make it worth a compaction
				want = append(want, fmt.Sprintf("k%02d", i))
				u := first.Begin()
				for _, key := range want {
					require.NoError(t, u.Put(t.Context(), ledger.Entry{Key: key, SourceSize: int64(i)}))
				}
				require.NoError(t, u.Commit(t.Context()))
			}
			require.Equal(t, want, keys(first))
			require.Equal(t, want, keys(open()))
			require.Equal(t, 13, objects())
			require.NoError(t, first.Compact(t.Context()))
			require.Equal(t, want, keys(first))
			require.Equal(t, 2, objects(), "the manifest and one segment")

			// Of two writers that found the same manifest one becomes the writer,
			// and the one before it commits nothing more.
			u := first.Begin()
			require.NoError(t, u.Put(t.Context(), ledger.Entry{Key: "late"}))
			second, third := open(), open()
			require.NoError(t, second.Take(t.Context(), "second"))
			err = third.Take(t.Context(), "third")
			require.ErrorIs(t, err, ledger.ErrFenced)
			require.ErrorContains(t, err, "second")
			require.ErrorIs(t, u.Commit(t.Context()), ledger.ErrFenced)
			require.Equal(t, want, keys(open()))
		})
	}
}
