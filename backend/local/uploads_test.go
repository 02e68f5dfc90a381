package local

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
)

// What cannot be read is no upload that anybody could go on with, and must not
// hide those that are.
func TestUploadsAreListedBesideWhatCannotBeRead(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	none, err := s.ListUploads(t.Context(), "k")
	require.NoError(t, err)
	require.Empty(t, none)

	before := time.Now()
	u, _ := begin(t, s, "k", "", backend.Metadata{})
	other, _ := begin(t, s, "other", "x", backend.Metadata{})
	headless, _ := begin(t, s, "k", "", backend.Metadata{})
	path := func(id, kind string) string { return filepath.Join(dir, filepath.FromSlash(uploadPath(id, kind))) }
	require.NoError(t, os.Remove(path(headless.ID(), uploadHead)))
	torn, _ := begin(t, s, "k", "", backend.Metadata{})
	require.NoError(t, os.WriteFile(path(torn.ID(), uploadHead), []byte(`{"v":1,"key":"k`), 0o666))
	require.NoError(t, os.Mkdir(path("ABCDEFGHIJKLMNOPQ", uploadHead), 0o700))

	got, err := open(t, dir).ListUploads(t.Context(), "k")
	require.NoError(t, err)
	require.Len(t, got, 1)
	require.Equal(t, u.ID(), got[0].ID)
	require.False(t, got[0].Begun.Before(before.Truncate(0)))
	got, err = s.ListUploads(t.Context(), "other")
	require.NoError(t, err)
	require.Equal(t, other.ID(), got[0].ID)
}

// Whoever asks for an upload that a crash ended at the rename, to go on with it or
// to abort it, clears what is left of it.
func TestWhatACrashAfterTheRenameLeftIsClearedByWhoeverComesBack(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	u, _ := begin(t, s, "k", "content", backend.Metadata{})
	other, _ := begin(t, s, "other", "x", backend.Metadata{})
	require.NoError(t, os.Rename(filepath.Join(dir, filepath.FromSlash(uploadPath(u.ID(), uploadData))), filepath.Join(dir, "k")))
	_, err := open(t, dir).UploadParts(t.Context(), "k", backend.PartsOptions{ID: u.ID(), PartSize: testPart})
	require.ErrorIs(t, err, fs.ErrNotExist)
	_, err = open(t, dir).UploadParts(t.Context(), "k", backend.PartsOptions{ID: other.ID(), PartSize: testPart})
	require.ErrorIs(t, err, fs.ErrNotExist)
	files := uploadFiles(t, dir)
	require.Len(t, files, 3, "those of the other upload alone")
	for _, name := range files {
		require.Contains(t, name, other.ID())
	}
	require.Equal(t, "content", get(t, s, "k"))
}
