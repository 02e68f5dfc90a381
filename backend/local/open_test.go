package local

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
)

func TestOpenNoticesChangesWhileReading(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	content := strings.Repeat("x", 100_000)
	path := filepath.Join(dir, "k")
	for name, c := range map[string]struct {
		change func() error
		class  error
	}{
		"grown":     {func() error { return os.WriteFile(path, []byte(content+"y"), 0o666) }, backend.ErrPrecondition},
		"rewritten": {func() error { return os.WriteFile(path, []byte(strings.Repeat("y", 100_000)), 0o666) }, backend.ErrPrecondition},
		"shrunk":    {func() error { return os.Truncate(path, 10) }, io.ErrUnexpectedEOF},
		"touched":   {func() error { return os.Chtimes(path, time.Unix(1, 0), time.Unix(1, 0)) }, backend.ErrPrecondition},
		"replaced": {func() error {
			_, err := s.Put(context.Background(), "k", backend.Bytes([]byte("z")), backend.PutOptions{})
			return err
		}, backend.ErrPrecondition},
	} {
		t.Run(name, func(t *testing.T) {
			file(t, dir, "k", content)
			time.Sleep(2 * fineTick)
			_, r, err := s.Open(t.Context(), "k", backend.OpenOptions{})
			require.NoError(t, err)
			defer r.Close()
			_, err = io.ReadFull(r, make([]byte, 50))
			require.NoError(t, err)
			require.NoError(t, c.change())
			_, err = io.ReadAll(r)
			require.ErrorIs(t, err, c.class)
			require.ErrorIs(t, err, backend.ErrPrecondition)
			_, again := r.Read(make([]byte, 1))
			require.Equal(t, err, again)
		})
	}
}

// A store that is only read gets nothing written into it.
func TestReadingWritesNothing(t *testing.T) {
	dir := t.TempDir()
	file(t, dir, "a/b", "x")
	s := open(t, dir)
	list(t, s, backend.ListOptions{})
	get(t, s, "a/b")
	require.NoError(t, s.Delete(t.Context(), "absent", backend.DeleteOptions{}))
	_, err := s.Sweep(t.Context(), time.Now())
	require.NoError(t, err)
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 1)
}
