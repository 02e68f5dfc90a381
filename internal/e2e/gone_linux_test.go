package e2e

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/objrepl/replication"
	"github.com/objrepl/replication/backend"
)

// What is not mounted is not made anew, be it on another file system than what
// shows in its place or only on another part of the same one.
func TestADestinationThatIsNotMountedIsAnOutage(t *testing.T) {
	for name, mount := range map[string]func(t *testing.T, at string) error{
		"another file system": func(_ *testing.T, at string) error {
			return unix.Mount("tmpfs", at, "tmpfs", 0, "size=1m")
		},
		"a part of the same one": func(t *testing.T, at string) error {
			return unix.Mount(t.TempDir(), at, "", unix.MS_BIND, "")
		},
	} {
		t.Run(name, func(t *testing.T) {
			source, at := files(t, 3), t.TempDir()
			if err := mount(t, at); err != nil {
				unproven(t, err, "that a destination below something not mounted is not made anew")
			}
			mounted := true
			unmount := func() {
				if mounted {
					require.NoError(t, unix.Unmount(at, unix.MNT_DETACH))
					mounted = false
				}
			}
			t.Cleanup(unmount)
			destination := filepath.Join(at, "copy")
			r := replicator(t)
			policy := replication.Policy{
				ID: "upload", SourceBackend: "local", SourceSettings: directory(source),
				DestinationBackend: "local", DestinationSettings: directory(destination),
			}
			_, err := r.Sync(t.Context(), policy)
			require.NoError(t, err)
			require.NoError(t, os.RemoveAll(destination))
			res, err := r.Sync(t.Context(), policy)
			require.NoError(t, err, "removed, not unmounted")
			require.EqualValues(t, 3, res.Synced)
			unmount()
			_, err = r.Sync(t.Context(), policy)
			require.ErrorIs(t, err, backend.ErrStoreNotFound)
			requireSays(t, err, nil, "destination", destination, "if it is gone for good, make it")
			require.NoDirExists(t, destination)
			require.NoError(t, os.Mkdir(destination, 0o755))
			res, err = r.Sync(t.Context(), policy)
			require.NoError(t, err)
			require.EqualValues(t, 3, res.Synced)
		})
	}
}

// The directory that a file system was mounted on is there without it, and empty.
func TestADestinationThatIsAMountPointWithoutItsFileSystemIsAnOutage(t *testing.T) {
	source, at := files(t, 3), t.TempDir()
	if err := unix.Mount("tmpfs", at, "tmpfs", 0, "size=1m"); err != nil {
		unproven(t, err, "that a mount point without its file system is an outage, and not an empty destination")
	}
	r := replicator(t)
	policy := upload("local", source, directory(at))
	_, err := r.Sync(t.Context(), policy)
	require.NoError(t, err)
	require.NoError(t, unix.Unmount(at, unix.MNT_DETACH))
	_, err = r.Sync(t.Context(), policy)
	require.ErrorIs(t, err, backend.ErrUnavailable)
	requireSays(t, err, nil, "destination", at, "no file system is mounted on it any more", "put a file there")
	entries, err := os.ReadDir(at)
	require.NoError(t, err)
	require.Empty(t, entries)

	require.NoError(t, os.WriteFile(filepath.Join(at, "mine"), nil, 0o644))
	res, err := r.Sync(t.Context(), policy)
	require.NoError(t, err)
	require.EqualValues(t, 3, res.Synced)
}
