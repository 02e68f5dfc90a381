package local

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/objrepl/replication/backend"
)

// mount puts an empty file system of 256 KiB over dir, where that is allowed.
func mount(t *testing.T, dir string) {
	t.Helper()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=256k"); err != nil {
		t.Skip("cannot mount: ", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
}

func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	mount(t, dir)
	s := open(t, dir, "durability", "full")
	put(t, s, "k", "old")
	_, err := s.Put(t.Context(), "k", backend.Bytes(make([]byte, 1<<20)), backend.PutOptions{})
	require.ErrorIs(t, err, backend.ErrNoSpace)
	require.Equal(t, "old", get(t, s, "k"))
	require.Empty(t, leftovers(t, dir))
	put(t, s, "k", "new")
}

func TestRealMountBelowTheStore(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "mnt"), 0o777))
	mount(t, filepath.Join(dir, "mnt"))
	s := open(t, dir, "durability", "full")
	put(t, s, "mnt/a/b", "1", backend.PutOptions{Metadata: backend.Metadata{ContentType: "a/b"}})
	put(t, s, "mnt/a/b", "2", backend.PutOptions{Metadata: backend.Metadata{ContentType: "c/d"}})
	put(t, s, "mnt/a/c", "3", backend.PutOptions{If: backend.Condition{Absent: true}})
	require.Equal(t, "2", get(t, s, "mnt/a/b"))
	require.Equal(t, []string{"mnt/a/b", "mnt/a/c"}, keys(list(t, s, backend.ListOptions{})))
	require.NoError(t, s.Delete(t.Context(), "mnt/a/b", backend.DeleteOptions{}))
	require.NoError(t, s.Delete(t.Context(), "mnt/a/c", backend.DeleteOptions{}))
	require.DirExists(t, filepath.Join(dir, "mnt"), "a mount point stays")
	n, err := s.Sweep(t.Context(), time.Now().Add(time.Hour))
	require.NoError(t, err)
	require.Zero(t, n)
}

// The classic way to lose a replica: its file system goes away, and what shows
// is the empty directory that it was mounted on.
func TestStoreMountedOverOrUnmountedIsAnOutage(t *testing.T) {
	dir := t.TempDir()
	outage := func(s *store) {
		t.Helper()
		for page, err := range s.List(t.Context(), backend.ListOptions{}) {
			require.Empty(t, page)
			require.ErrorIs(t, err, backend.ErrUnavailable)
		}
		_, err := s.Stat(t.Context(), "k")
		require.ErrorIs(t, err, backend.ErrUnavailable)
		_, err = s.Put(t.Context(), "k", backend.Bytes(nil), backend.PutOptions{})
		require.ErrorIs(t, err, backend.ErrUnavailable)
	}
	below := open(t, dir)
	put(t, below, "k", "below")
	mount(t, dir)
	outage(below)
	above := open(t, dir)
	put(t, above, "k", "above")
	require.NoError(t, unix.Unmount(dir, unix.MNT_DETACH))
	outage(above)
	require.Equal(t, "below", get(t, below, "k"))
}
