package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
)

// spills makes every directory of a store with more than a few names be sorted
// on disk, and returns the temporary files that were made.
func spills(s *store) *[]*os.File {
	files := new([]*os.File)
	s.hooks.sort = sortLimits{held: 400, runs: 3}
	s.hooks.scratch = func() (*os.File, error) {
		f, err := newScratch()
		*files = append(*files, f)
		return f, err
	}
	return files
}

func requireClosed(t *testing.T, files *[]*os.File) {
	t.Helper()
	require.NotEmpty(t, *files, "nothing was spilled")
	for _, f := range *files {
		_, err := f.Stat()
		require.ErrorIs(t, err, os.ErrClosed)
	}
}

func emptyFiles(t *testing.T, dir, format string, n int) (keys []string) {
	t.Helper()
	for i := range n {
		keys = append(keys, fmt.Sprintf(format, i))
		path := filepath.Join(dir, filepath.FromSlash(keys[i]))
		if i == 0 {
			require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o777))
		}
		f, err := os.Create(path)
		require.NoError(t, err)
		f.Close()
	}
	return keys
}

// What a listing holds of one directory are the names not yet spilled and the
// chunks asked for ahead, however many there are.
func TestListHoldsABoundedPartOfALargeDirectory(t *testing.T) {
	if testing.Short() {
		t.Skip("makes many files")
	}
	dir := t.TempDir()
	want := emptyFiles(t, dir, "%06d", 50*chunk)
	s := open(t, dir)
	files := spills(s)
	s.hooks.sort = sortLimits{held: 64 << 10, runs: 4}
	most, calls := 0, 0
	s.hooks.holds = func(n int) { most = max(most, n); calls++ }
	require.Equal(t, want, keys(list(t, s, backend.ListOptions{})))
	require.Greater(t, calls, len(want)/chunk)
	require.LessOrEqual(t, most, (listAhead+2)*chunk)
	requireClosed(t, files)
}

func TestListReadsWhatIsTooLargeToReadAheadInItsTurn(t *testing.T) {
	dir := t.TempDir()
	file(t, dir, "a/x", "")
	want := append([]string{"a/x"}, emptyFiles(t, dir, "b/%04d", 200)...)
	want = append(want, emptyFiles(t, dir, "b/0100-sub/%04d", 200)...)
	want = append(want, emptyFiles(t, dir, "c/%04d", 200)...)
	slices.Sort(want)
	s := open(t, dir)
	files := spills(s)
	s.hooks.sort.runs = 1000
	scratch := s.hooks.scratch
	s.hooks.scratch = func() (*os.File, error) {
		opened := 1
		for _, f := range *files {
			if _, err := f.Stat(); err == nil {
				opened++
			}
		}
		require.LessOrEqual(t, opened, 2, "one a level")
		return scratch()
	}
	require.Equal(t, want, keys(list(t, s, backend.ListOptions{})))
	require.Len(t, *files, 3, "one for each, and none for what is dropped")
	requireClosed(t, files)
}

// A range takes memory and disk for its own names alone.
func TestListSpillsNothingOutsideItsRange(t *testing.T) {
	dir := t.TempDir()
	want := emptyFiles(t, dir, "a/%04d", 300)
	s := open(t, dir)
	files := spills(s)
	for _, opts := range []backend.ListOptions{
		{After: "a/0290"}, {Until: "a/0009"}, {Prefix: "a/010"}, {After: "a/0200", Until: "a/0210"}, {After: "b"},
	} {
		inRange := slices.DeleteFunc(slices.Clone(want), func(k string) bool {
			return k <= opts.After || opts.Until != "" && k > opts.Until || !strings.HasPrefix(k, opts.Prefix)
		})
		require.ElementsMatch(t, inRange, keys(list(t, s, opts)))
	}
	require.Empty(t, *files)
	require.Len(t, list(t, s, backend.ListOptions{After: "a/0100"}), 199)
	requireClosed(t, files)
}

// Names that cannot be kept are a listing that failed: never a directory that
// is missing, that may not be read, or that is empty.
func TestListFailsWhereItCannotSpill(t *testing.T) {
	notDirectory := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(notDirectory, nil, 0o666))
	cases := map[string]func(t *testing.T) func() (*os.File, error){
		"no temporary directory": func(t *testing.T) func() (*os.File, error) {
			t.Setenv(tempVariable, filepath.Join(t.TempDir(), "missing"))
			return newScratch
		},
		"a file in its place": func(t *testing.T) func() (*os.File, error) {
			t.Setenv(tempVariable, notDirectory)
			return newScratch
		},
		"no permission": func(*testing.T) func() (*os.File, error) {
			return func() (*os.File, error) { return nil, &fs.PathError{Op: "open", Path: "x", Err: fs.ErrPermission} }
		},
		"not readable again": func(*testing.T) func() (*os.File, error) {
			path := filepath.Join(t.TempDir(), "x")
			return func() (*os.File, error) { return os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o600) }
		},
	}
	if runtime.GOOS == "linux" {
		cases["full disk"] = func(*testing.T) func() (*os.File, error) {
			return func() (*os.File, error) { return os.OpenFile("/dev/full", os.O_RDWR, 0) }
		}
	}
	for name, scratch := range cases {
		for _, at := range []string{"", "a/b/"} {
			t.Run(name+" at "+at, func(t *testing.T) {
				dir := t.TempDir()
				emptyFiles(t, dir, at+"%04d", 100)
				s := open(t, dir)
				s.hooks.sort = sortLimits{held: 400, runs: 3}
				var handed []*os.File
				fails := scratch(t)
				s.hooks.scratch = func() (*os.File, error) {
					f, err := fails()
					if err == nil {
						handed = append(handed, f)
					}
					return f, err
				}
				var last error
				for page, err := range s.List(t.Context(), backend.ListOptions{}) {
					require.Empty(t, page)
					last = err
				}
				require.ErrorIs(t, last, errSpill)
				require.ErrorContains(t, last, tempVariable)
				for _, f := range handed {
					_, err := f.Stat()
					require.ErrorIs(t, err, os.ErrClosed)
				}
				for _, class := range []error{fs.ErrNotExist, fs.ErrPermission, backend.ErrNotRegular, backend.ErrUnavailable} {
					require.NotErrorIs(t, last, class)
				}
			})
		}
	}
}

func TestListGivesItsTemporaryFilesBackHoweverItEnds(t *testing.T) {
	dir := t.TempDir()
	emptyFiles(t, dir, "a/%05d", 2*pageSize)
	emptyFiles(t, dir, "a/00000-sub/%05d", 2*pageSize)
	ends := map[string]func(cancel func()) (goOn bool){
		"complete":  func(func()) bool { return true },
		"broken":    func(func()) bool { return false },
		"cancelled": func(cancel func()) bool { cancel(); return true },
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			s := open(t, dir)
			files := spills(s)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			for _, err := range s.List(ctx, backend.ListOptions{}) {
				if err != nil {
					require.ErrorIs(t, err, context.Canceled)
				}
				if !end(cancel) {
					break
				}
			}
			requireClosed(t, files)
		})
	}
	t.Run("a second file cannot be had", func(t *testing.T) {
		s := open(t, dir)
		files := spills(s)
		scratch := s.hooks.scratch
		s.hooks.scratch = func() (*os.File, error) {
			if len(*files) > 0 {
				return nil, errors.New("no more")
			}
			return scratch()
		}
		for _, err := range s.List(t.Context(), backend.ListOptions{}) {
			require.ErrorIs(t, err, errSpill)
		}
		requireClosed(t, files)
	})
	t.Run("a loop", func(t *testing.T) {
		dir := t.TempDir()
		emptyFiles(t, dir, "%05d", 100)
		if err := os.Symlink(".", filepath.Join(dir, "00050-loop")); err != nil {
			t.Skip("no symbolic links here")
		}
		s := open(t, dir, "symlinks", "follow")
		files := spills(s)
		list(t, s, backend.ListOptions{})
		require.Greater(t, len(*files), 1)
		requireClosed(t, files)
	})
}
