//go:build unix

package durable

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func newRoot(t *testing.T) *os.Root {
	t.Helper()
	root, err := os.OpenRoot(t.TempDir())
	require.NoError(t, err)
	t.Cleanup(func() { root.Close() })
	return root
}

func temps(t *testing.T, root *os.Root) (n int) {
	t.Helper()
	require.NoError(t, fs.WalkDir(root.FS(), ".", func(_ string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasPrefix(d.Name(), TempPrefix) {
			n++
		}
		return err
	}))
	return n
}

func write(t *testing.T, root *os.Root, dir, content string) *File {
	t.Helper()
	f, err := Create(root, dir)
	require.NoError(t, err)
	t.Cleanup(func() { f.Abort() })
	_, err = f.WriteString(content)
	require.NoError(t, err)
	return f
}

func content(t *testing.T, root *os.Root, name string) string {
	t.Helper()
	b, err := root.ReadFile(name)
	require.NoError(t, err)
	return string(b)
}

func TestCommitReplaces(t *testing.T) {
	root := newRoot(t)
	require.NoError(t, WriteFile(root, "a", []byte("old"), 0o600))
	f := write(t, root, ".", "new")
	require.Equal(t, "old", content(t, root, "a"), "nothing shows before the commit")
	var info fs.FileInfo
	require.NoError(t, f.Commit("a", Info(&info)))
	require.Equal(t, "new", content(t, root, "a"))
	at, err := root.Lstat("a")
	require.NoError(t, err)
	require.True(t, os.SameFile(at, info))
	require.NoError(t, f.Abort())
	require.Equal(t, "new", content(t, root, "a"), "an abort after the commit does nothing")
	require.Zero(t, temps(t, root))
	require.ErrorIs(t, f.Commit("b"), os.ErrClosed)
}

func TestSealGoesAheadOfCommit(t *testing.T) {
	root := newRoot(t)
	f := write(t, root, ".", "x")
	var before, after fs.FileInfo
	require.NoError(t, f.Seal(Info(&before)))
	_, err := f.Write(nil)
	require.ErrorIs(t, err, os.ErrClosed)
	require.NoError(t, f.Commit("a", Info(&after), Exclusive()))
	require.Equal(t, before, after)
	require.ErrorIs(t, f.Seal(), os.ErrClosed)
	// What was not flushed cannot be later.
	f = write(t, root, ".", "x")
	require.NoError(t, f.Seal(NoSync()))
	require.ErrorIs(t, f.Commit("b"), os.ErrClosed)
	require.NoError(t, f.Commit("b", NoSync()))
}

func TestAbortLeavesNothingTwice(t *testing.T) {
	root := newRoot(t)
	f := write(t, root, ".", "x")
	require.Equal(t, 1, temps(t, root))
	require.NoError(t, f.Abort())
	require.NoError(t, f.Abort())
	require.Zero(t, temps(t, root))
}

func TestCommitCanBeRepeatedAfterMakingTheDirectory(t *testing.T) {
	root := newRoot(t)
	f := write(t, root, ".", "x")
	require.ErrorIs(t, f.Commit("d/e/a"), fs.ErrNotExist)
	require.NoError(t, MkdirAll(root, "d/e", 0o777))
	require.NoError(t, f.Commit("d/e/a", Exclusive()))
	require.Equal(t, "x", content(t, root, "d/e/a"))
	require.Zero(t, temps(t, root))
}

// withoutLinks stands in for FAT and the like.
func withoutLinks(t *testing.T, err error) {
	linkAt = func(*os.Root, string, string) error { return &os.LinkError{Op: "linkat", Err: err} }
	t.Cleanup(func() { linkAt = (*os.Root).Link })
}

func TestExclusiveCommitHasOneWinner(t *testing.T) {
	for name, linkErr := range map[string]error{"link": nil, "no links": syscall.EPERM, "links unsupported": syscall.ENOTSUP} {
		t.Run(name, func(t *testing.T) {
			if linkErr != nil {
				withoutLinks(t, linkErr)
			}
			root := newRoot(t)
			var wg sync.WaitGroup
			errs := make([]error, 16)
			for i := range errs {
				f := write(t, root, ".", "x")
				wg.Go(func() { errs[i] = f.Commit("a", Exclusive(), NoSync()); f.Abort() })
			}
			wg.Wait()
			if errors.Is(errs[0], errors.ErrUnsupported) {
				t.Skip("no exclusive rename here")
			}
			won := 0
			for _, err := range errs {
				if err == nil {
					won++
				} else {
					require.ErrorIs(t, err, fs.ErrExist)
				}
			}
			require.Equal(t, 1, won)
			require.Zero(t, temps(t, root))
		})
	}
}

func TestExclusiveCommitAcceptsItsOwnRepeatedLink(t *testing.T) {
	root := newRoot(t)
	f := write(t, root, ".", "x")
	linkAt = func(r *os.Root, from, to string) error {
		if err := r.Link(from, to); err != nil {
			return err
		}
		return r.Link(from, to) // the answer got lost, the client asks again
	}
	t.Cleanup(func() { linkAt = (*os.Root).Link })
	require.NoError(t, f.Commit("a", Exclusive()))
	require.Equal(t, "x", content(t, root, "a"))
	require.Zero(t, temps(t, root))
}

func TestNothingLeavesTheRoot(t *testing.T) {
	root := newRoot(t)
	outside := t.TempDir()
	require.NoError(t, os.Symlink(outside, filepath.Join(root.Name(), "out")))
	_, err := Create(root, "out")
	require.Error(t, err)
	require.Error(t, MkdirAll(root, "out/d", 0o777))
	require.Error(t, SyncDir(root, "out"))
	f := write(t, root, ".", "x")
	require.Error(t, f.Commit("out/a"))
	require.Error(t, f.Commit("out/a", Exclusive()))
	require.Error(t, f.Commit("../a"))
	entries, err := os.ReadDir(outside)
	require.NoError(t, err)
	require.Empty(t, entries)
}

func TestCommitOverADirectoryFails(t *testing.T) {
	root := newRoot(t)
	require.NoError(t, root.Mkdir("d", 0o777))
	f := write(t, root, ".", "x")
	require.Error(t, f.Commit("d"))
	require.ErrorIs(t, f.Commit("d", Exclusive()), fs.ErrExist)
}

func TestMkdirAllRefusesAFileInTheWay(t *testing.T) {
	root := newRoot(t)
	require.NoError(t, WriteFile(root, "a", nil, 0o600))
	require.Error(t, MkdirAll(root, "a/b", 0o777))
	require.Error(t, MkdirAll(root, "a", 0o777))
}

// What a power cut leaves depends on what was flushed when: the bytes before
// the name, each new directory's entry and then the file's.
func TestFlushesComeInOrder(t *testing.T) {
	root := newRoot(t)
	var flushed []string
	flushFile = func(f *os.File) error {
		rel, err := filepath.Rel(root.Name(), f.Name())
		require.NoError(t, err)
		if strings.HasPrefix(filepath.Base(rel), TempPrefix) {
			rel = "temp"
		}
		_, err = root.Lstat("d/e/a")
		flushed = append(flushed, fmt.Sprint(filepath.Clean(rel), " ", err == nil))
		return f.Sync()
	}
	t.Cleanup(func() { flushFile = (*os.File).Sync })
	require.NoError(t, MkdirAll(root, "d/e", 0o777))
	require.NoError(t, write(t, root, ".", "x").Commit("d/e/a"))
	require.Equal(t, []string{". false", "d false", "temp false", "d/e true"}, flushed)
	flushed = nil
	require.NoError(t, MkdirAll(root, "d/f", 0o777, NoSync()))
	require.NoError(t, write(t, root, ".", "x").Commit("d/e/a", NoSync()))
	require.Empty(t, flushed)
}

func TestUnflushedDirectoryIsNotADefiniteFailure(t *testing.T) {
	root := newRoot(t)
	flushFile = func(f *os.File) error {
		if info, err := f.Stat(); err == nil && info.IsDir() {
			return syscall.EACCES
		}
		return f.Sync()
	}
	t.Cleanup(func() { flushFile = (*os.File).Sync })
	err := write(t, root, ".", "x").Commit("a")
	require.ErrorIs(t, err, ErrNotSynced)
	require.NotErrorIs(t, err, fs.ErrPermission, "that would say that nothing happened")
	require.Equal(t, "x", content(t, root, "a"))
}

func TestFailedFlushIsNotForgotten(t *testing.T) {
	root := newRoot(t)
	f := write(t, root, ".", "x")
	require.NoError(t, f.File.Close()) // the next fsync fails
	first := f.Commit("a")
	require.ErrorIs(t, first, os.ErrClosed)
	require.Equal(t, first, f.Commit("a"), "a second fsync could succeed and mean nothing")
	_, err := root.Lstat("a")
	require.ErrorIs(t, err, fs.ErrNotExist)
}
