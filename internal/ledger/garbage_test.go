package ledger

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/memory"
)

// segmentsIn counts the segments in a store, named by a manifest or not.
func segmentsIn(t *testing.T, b backend.Backend) int {
	t.Helper()
	names, err := (&files{backend: b, prefix: "state/"}).list(t.Context())
	require.NoError(t, err)
	return len(names)
}

func put(t *testing.T, l *Ledger, keys ...string) {
	t.Helper()
	u := l.Begin()
	for _, key := range keys {
		require.NoError(t, u.Put(t.Context(), entry(key, 1)))
	}
	require.NoError(t, u.Commit(t.Context()))
}

func keys(t *testing.T, l *Ledger) (out []string) {
	t.Helper()
	for _, e := range readAll(t, l) {
		out = append(out, e.Key)
	}
	return out
}

func TestWhatACrashLeftBetweenSegmentsAndManifestIsRemovedByTheNextWriter(t *testing.T) {
	b := memory.NewBackend()
	first := open(t, b)
	put(t, first, "a", "b")
	u := first.Begin()
	require.NoError(t, u.Put(t.Context(), entry("c", 1)))
	require.NoError(t, u.finish(t.Context()))
	require.NoError(t, u.Delete(t.Context(), "a"))
	require.NoError(t, u.finish(t.Context()))
	require.Equal(t, 3, segmentsIn(t, b))

	// A reader takes it for what it is, and leaves it to writers.
	reader, err := Open(t.Context(), Options{Backend: b, Prefix: "state/", Scratch: t.TempDir()})
	require.NoError(t, err)
	require.Equal(t, []string{"a", "b"}, keys(t, reader))
	require.Equal(t, 3, segmentsIn(t, b))

	next := open(t, b)
	require.Equal(t, []string{"a", "b"}, keys(t, next))
	require.Equal(t, 1, segmentsIn(t, b))
}

func TestScratchFilesOfACrashAreRemovedByTheNextWriter(t *testing.T) {
	scratch := filepath.Join(t.TempDir(), "a [strange] place")
	require.NoError(t, os.Mkdir(scratch, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(scratch, "ledger-1.tmp"), nil, 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(scratch, "other"), nil, 0o600))
	l, err := Open(t.Context(), Options{Backend: memory.NewBackend(), Scratch: scratch})
	require.NoError(t, err)
	require.NoError(t, l.Take(t.Context(), "me"))
	left, err := os.ReadDir(scratch)
	require.NoError(t, err)
	require.Len(t, left, 1)
	require.Equal(t, "other", left[0].Name())
}

// staged calls before and after once, around a Put of a manifest, and fails
// deletions if told to.
type staged struct {
	backend.Backend
	before, after func()
	noDelete      error
}

func (s *staged) Put(ctx context.Context, key string, body backend.Body, opts backend.PutOptions) (backend.Object, error) {
	if before := s.before; before != nil && strings.HasSuffix(key, manifestName) {
		s.before = nil
		before()
	}
	o, err := s.Backend.Put(ctx, key, body, opts)
	if after := s.after; after != nil && strings.HasSuffix(key, manifestName) {
		s.after = nil
		after()
	}
	return o, err
}

func (s *staged) Delete(ctx context.Context, key string, opts backend.DeleteOptions) error {
	if s.noDelete != nil {
		return s.noDelete
	}
	return s.Backend.Delete(ctx, key, opts)
}

func TestWhatACrashLeftOfACompactionIsRemovedByTheNextWriter(t *testing.T) {
	b := &staged{Backend: memory.NewBackend()}
	l := open(t, b)
	put(t, l, "a", "b")
	put(t, l, "b", "c")
	b.noDelete = errors.New("killed")
	require.ErrorIs(t, l.compact(t.Context()), b.noDelete)
	require.Equal(t, 3, segmentsIn(t, b))
	b.noDelete = nil
	l = open(t, b)
	require.Equal(t, []string{"a", "b", "c"}, keys(t, l))
	require.Equal(t, 1, segmentsIn(t, b))
}

// A writer that was suspended between its manifest and its sweep finds the
// segments that the next writer has stored and not yet committed.
func TestAWriterThatWasReplacedRemovesNothingOfTheNextOne(t *testing.T) {
	for name, act := range map[string]func(*testing.T, *Ledger) error{
		"take":    func(t *testing.T, l *Ledger) error { return l.Take(t.Context(), "suspended") },
		"compact": func(t *testing.T, l *Ledger) error { return l.compact(t.Context()) },
	} {
		t.Run(name, func(t *testing.T) {
			store := memory.NewBackend()
			b := &staged{Backend: store}
			suspended := open(t, b)
			put(t, suspended, "a", "b")
			put(t, suspended, "b", "c")
			var next *Ledger
			var u *Update
			b.after = func() {
				next = open(t, store)
				u = next.Begin()
				require.NoError(t, u.Put(t.Context(), entry("d", 1)))
				require.NoError(t, u.finish(t.Context()))
			}
			require.NoError(t, act(t, suspended))
			require.NoError(t, u.Commit(t.Context()))
			require.Equal(t, []string{"a", "b", "c", "d"}, keys(t, next))
		})
	}
}

func TestDroppingDamageRemovesNothingThatIsStillRead(t *testing.T) {
	b, dir := directory(t)
	l := open(t, b)
	for i := range 3 {
		put(t, l, fmt.Sprint(i))
	}
	bad := l.current().Base[1]
	require.NoError(t, os.Truncate(filepath.Join(dir, "state", bad.Name), 10))
	require.NoError(t, l.Drop(t.Context(), &damage{bad, "is short"}))
	require.Equal(t, []string{"0", "2"}, keys(t, l))
	require.Equal(t, []string{"0", "2"}, keys(t, open(t, b)))
	require.Equal(t, 2, segmentsIn(t, b))
}
