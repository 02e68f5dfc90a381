package local

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/internal/durable"
)

func TestKeysThatCannotBeFiles(t *testing.T) {
	s := open(t, t.TempDir())
	check := s.Properties().CheckKey
	for _, key := range []string{
		"", ".", "..", "/", "/a", "a/", "a//b", "a/./b", "a/../b", "../a", "a/..", "a\x00b", "a\xff",
		strings.Repeat("x", 256), strings.Repeat("x/", 2100) + "x", reserved, reserved + "/tmp/x", "a/" + durable.TempPrefix + "b",
	} {
		require.ErrorIs(t, check(key), backend.ErrInvalidKey, "%.20q", key)
		_, err := s.Put(t.Context(), key, backend.Bytes(nil), backend.PutOptions{})
		require.ErrorIs(t, err, backend.ErrInvalidKey, "%.20q", key)
		_, err = s.Stat(t.Context(), key)
		require.ErrorIs(t, err, backend.ErrInvalidKey, "%.20q", key)
	}
	for _, key := range []string{"a", "...", "..a", "a..", ".a", "a b", "ä", strings.Repeat("x", 255), "a/" + reserved} {
		require.NoError(t, check(key), "%.20q", key)
	}
}

func TestRootIsMadeByTheFirstWriteOnly(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a/b")
	s := open(t, dir)
	_, err := s.Stat(t.Context(), "k")
	require.ErrorIs(t, err, backend.ErrStoreNotFound)
	require.NotErrorIs(t, err, fs.ErrNotExist)
	require.ErrorIs(t, s.Delete(t.Context(), "k", backend.DeleteOptions{}), backend.ErrStoreNotFound)
	_, err = s.Put(t.Context(), "k", backend.Bytes(nil), backend.PutOptions{If: backend.Condition{Match: "x"}})
	require.ErrorIs(t, err, backend.ErrStoreNotFound)
	require.NoDirExists(t, dir)
	no := open(t, dir, "create", "false")
	_, err = no.Put(t.Context(), "k", backend.Bytes(nil), backend.PutOptions{})
	require.ErrorIs(t, err, backend.ErrStoreNotFound)
	put(t, s, "k", "x")
	require.Equal(t, "x", get(t, no, "k"))
	require.NoError(t, s.Delete(t.Context(), "k", backend.DeleteOptions{}))
	require.DirExists(t, dir, "the root stays, however empty")
	require.Equal(t, "file://"+filepath.ToSlash(dir), s.Properties().Location)
	require.NoError(t, os.Symlink(dir, dir+"-link"))
	require.Equal(t, s.Properties().Location, open(t, dir+"-link").Properties().Location)
	require.Equal(t, s.Properties().Location+"/new", open(t, dir+"-link/new").Properties().Location)
}

func TestCreateMakesTheRootOnce(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a/b")
	refused, ok := backend.As[backend.Creator](open(t, dir, "create", "false"))
	require.True(t, ok)
	require.ErrorIs(t, refused.Create(t.Context()), backend.ErrStoreNotFound)
	require.NoDirExists(t, dir)
	s := open(t, dir)
	require.NoError(t, s.Create(t.Context()))
	require.Empty(t, list(t, s, backend.ListOptions{}))
	require.NoError(t, s.Create(t.Context()))
	require.NoError(t, os.RemoveAll(dir))
	require.ErrorIs(t, s.Create(t.Context()), backend.ErrStoreNotFound, "one that was lost is not made anew")
}
