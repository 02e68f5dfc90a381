//go:build unix

package local

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/internal/durable"
)

func eachMode(t *testing.T, test func(t *testing.T, s *store, dir string)) {
	for _, links := range []string{"skip", "follow"} {
		for _, walk := range []bool{false, true} {
			name := links
			if walk {
				name += " without openat2"
			}
			t.Run(name, func(t *testing.T) {
				if walk {
					useWalk(t)
				}
				dir := filepath.Join(t.TempDir(), "store")
				require.NoError(t, os.Mkdir(dir, 0o777))
				test(t, open(t, dir, "symlinks", links), dir)
			})
		}
	}
}

func TestLinksLeadNowhereOutside(t *testing.T) {
	eachMode(t, func(t *testing.T, s *store, dir string) {
		outside := t.TempDir()
		file(t, outside, "secret", "secret")
		require.NoError(t, os.Symlink(outside, filepath.Join(dir, "abs")))
		rel, err := filepath.Rel(dir, outside)
		require.NoError(t, err)
		require.NoError(t, os.Symlink(rel, filepath.Join(dir, "rel")))
		require.NoError(t, os.Symlink(filepath.Join(outside, "secret"), filepath.Join(dir, "file")))
		require.NoError(t, os.Symlink("../../../../../../../etc/passwd", filepath.Join(dir, "passwd")))
		for _, key := range []string{"abs/secret", "rel/secret", "file", "passwd", "abs/sub/new", "rel/new"} {
			_, err := s.Stat(t.Context(), key)
			require.Error(t, err, key)
			_, _, err = s.Open(t.Context(), key, backend.OpenOptions{})
			require.Error(t, err, key)
			if !s.follow || strings.Contains(key, "/") {
				_, err = s.Put(t.Context(), key, backend.Bytes([]byte("x")), backend.PutOptions{})
				require.Error(t, err, key)
				require.True(t, backend.Definite(err), "%v", err)
				_ = s.Delete(t.Context(), key, backend.DeleteOptions{})
			}
		}
		for _, prefix := range []string{"", "abs/", "rel/", "abs/s", "file"} {
			for page, err := range s.List(t.Context(), backend.ListOptions{Prefix: prefix}) {
				if err != nil {
					require.True(t, s.follow, "%v", err)
				}
				for _, o := range page {
					require.ErrorIs(t, o.Problem, backend.ErrNotRegular)
					require.True(t, s.follow)
				}
			}
		}
		entries, err := os.ReadDir(outside)
		require.NoError(t, err)
		require.Len(t, entries, 1)
		b, err := os.ReadFile(filepath.Join(outside, "secret"))
		require.NoError(t, err)
		require.Equal(t, "secret", string(b))
	})
}

// Whoever swaps a directory for a link while calls run gets nothing from
// outside and nothing to outside.
func TestSwappedDirectoryNeverEscapes(t *testing.T) {
	eachMode(t, func(t *testing.T, s *store, dir string) {
		outside := t.TempDir()
		file(t, outside, "x", "outside")
		file(t, dir, "d/x", "inside")
		file(t, dir, "real/x", "inside")
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		done := make(chan struct{})
		go func() {
			defer close(done)
			for ctx.Err() == nil {
				os.Rename(filepath.Join(dir, "d"), filepath.Join(dir, "aside"))
				os.Symlink(outside, filepath.Join(dir, "d"))
				os.Remove(filepath.Join(dir, "d"))
				os.Rename(filepath.Join(dir, "aside"), filepath.Join(dir, "d"))
			}
		}()
		for i := range 400 {
			if o, r, err := s.Open(t.Context(), "d/x", backend.OpenOptions{}); err == nil {
				b, _ := io.ReadAll(r)
				r.Close()
				require.NotEqual(t, "outside", string(b), o.Key)
			}
			_, _ = s.Put(t.Context(), "d/x", backend.Bytes([]byte("inside")), backend.PutOptions{})
			_, _ = s.Put(t.Context(), "d/new/y", backend.Bytes([]byte("inside")), backend.PutOptions{If: backend.Condition{Absent: true}})
			if i%2 == 0 {
				_ = s.Delete(t.Context(), "d/new/y", backend.DeleteOptions{})
			}
			for page := range s.List(t.Context(), backend.ListOptions{Prefix: "d/"}) {
				for _, o := range page {
					require.NotEqual(t, int64(len("outside")), o.Size)
				}
			}
		}
		cancel()
		<-done
		entries, err := os.ReadDir(outside)
		require.NoError(t, err)
		require.Len(t, entries, 1)
		b, err := os.ReadFile(filepath.Join(outside, "x"))
		require.NoError(t, err)
		require.Equal(t, "outside", string(b))
	})
}

// A FIFO without a writer would make an ordinary open wait for ever.
func TestSpecialFilesNeverBlock(t *testing.T) {
	eachMode(t, func(t *testing.T, s *store, dir string) {
		require.NoError(t, unix.Mkfifo(filepath.Join(dir, "fifo"), 0o666))
		fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
		require.NoError(t, err)
		defer unix.Close(fd)
		require.NoError(t, unix.Bind(fd, &unix.SockaddrUnix{Name: filepath.Join(dir, "sock")}))
		file(t, dir, "plain", "x")
		finished := make(chan struct{})
		go func() {
			defer close(finished)
			for _, key := range []string{"fifo", "sock"} {
				_, err := s.Stat(t.Context(), key)
				require.ErrorIs(t, err, backend.ErrNotRegular)
				_, _, err = s.Open(t.Context(), key, backend.OpenOptions{})
				require.ErrorIs(t, err, backend.ErrNotRegular)
				_, err = s.Put(t.Context(), key, backend.Bytes(nil), backend.PutOptions{})
				require.ErrorIs(t, err, backend.ErrNotRegular)
				require.ErrorIs(t, s.Delete(t.Context(), key, backend.DeleteOptions{}), backend.ErrNotRegular)
				_, err = s.Stat(t.Context(), key+"/below")
				require.ErrorIs(t, err, fs.ErrNotExist)
				_, err = s.Put(t.Context(), key+"/below", backend.Bytes(nil), backend.PutOptions{})
				require.ErrorIs(t, err, backend.ErrInvalidKey)
				require.Empty(t, list(t, s, backend.ListOptions{Prefix: key + "/"}))
			}
			got := list(t, s, backend.ListOptions{})
			require.Equal(t, []string{"fifo", "plain", "sock"}, keys(got))
			require.ErrorIs(t, got[0].Problem, backend.ErrNotRegular)
			require.NoError(t, got[1].Problem)
			require.ErrorIs(t, got[2].Problem, backend.ErrNotRegular)
		}()
		select {
		case <-finished:
		case <-time.After(20 * time.Second):
			t.Fatal("a call waits for the other end of a FIFO")
		}
		// The open itself has to notice as well, for when the swap comes late.
		h, err := s.acquire(false)
		require.NoError(t, err)
		defer h.release()
		_, _, err = h.top.openFile("fifo")
		require.ErrorIs(t, err, backend.ErrNotRegular)
		require.NoError(t, os.Symlink("plain", filepath.Join(dir, "link")))
		_, _, err = h.top.openFile("link")
		require.ErrorIs(t, err, unix.ELOOP)
		_, _, err = openThrough(h.root, "fifo")
		require.ErrorIs(t, err, backend.ErrNotRegular)
	})
}

func TestSkippedLinksAreNotThere(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	file(t, dir, "real/x", "x")
	require.NoError(t, os.Symlink("real", filepath.Join(dir, "dirlink")))
	require.NoError(t, os.Symlink("real/x", filepath.Join(dir, "filelink")))
	require.NoError(t, os.Symlink("nowhere", filepath.Join(dir, "dangling")))
	require.Equal(t, []string{"real/x"}, keys(list(t, s, backend.ListOptions{})))
	require.Empty(t, list(t, s, backend.ListOptions{Prefix: "dirlink/"}))
	for _, key := range []string{"dirlink", "dirlink/x", "filelink", "dangling"} {
		_, err := s.Stat(t.Context(), key)
		require.ErrorIs(t, err, fs.ErrNotExist, key)
		require.NoError(t, s.Delete(t.Context(), key, backend.DeleteOptions{}))
		_, err = s.Put(t.Context(), key, backend.Bytes(nil), backend.PutOptions{})
		require.Error(t, err, key)
		require.True(t, backend.Definite(err), "%v", err)
	}
	for _, link := range []string{"dirlink", "filelink", "dangling"} {
		_, err := os.Readlink(filepath.Join(dir, link))
		require.NoError(t, err, "a link is not ours to remove or replace")
	}
}

func TestFollowedLinks(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, "symlinks", "follow")
	file(t, dir, "real/sub/x", "content")
	require.NoError(t, os.Symlink("real/sub", filepath.Join(dir, "dirlink")))
	require.NoError(t, os.Symlink("real/sub/x", filepath.Join(dir, "filelink")))
	require.NoError(t, os.Symlink("nowhere", filepath.Join(dir, "dangling")))
	require.NoError(t, os.Symlink("..", filepath.Join(dir, "real/loop")))
	require.NoError(t, os.Symlink("self", filepath.Join(dir, "self")))
	got := list(t, s, backend.ListOptions{})
	problems, objects := []string{}, []string{}
	for _, o := range got {
		if o.Problem != nil {
			require.ErrorIs(t, o.Problem, backend.ErrNotRegular)
			problems = append(problems, o.Key)
			continue
		}
		objects = append(objects, o.Key)
		require.Equal(t, "content", get(t, s, o.Key))
		st, err := s.Stat(t.Context(), o.Key)
		require.NoError(t, err)
		require.Equal(t, st.Tag, o.Tag)
	}
	require.Equal(t, []string{"dirlink/x", "filelink", "real/sub/x"}, objects)
	require.Equal(t, []string{"dangling", "dangling/", "real/loop/", "self", "self/"}, problems,
		"what a broken link stood for may have been a file or a directory")
	require.True(t, slices.IsSorted(keys(got)))

	// What cannot be told is not absent.
	_, err := s.Stat(t.Context(), "dangling")
	require.ErrorIs(t, err, backend.ErrNotRegular)
	_, err = s.Stat(t.Context(), "dangling/x")
	require.ErrorIs(t, err, backend.ErrNotRegular)
	for _, err := range s.List(t.Context(), backend.ListOptions{Prefix: "dangling/x"}) {
		require.ErrorIs(t, err, backend.ErrNotRegular)
	}
	require.Equal(t, []string{"real/loop/", "real/sub/x"}, keys(list(t, s, backend.ListOptions{Prefix: "real/"})))

	// Writes go through links to directories and act on links to files.
	put(t, s, "dirlink/y", "new")
	require.FileExists(t, filepath.Join(dir, "real/sub/y"))
	require.NoError(t, s.Delete(t.Context(), "dangling", backend.DeleteOptions{}))
	require.NoError(t, s.Delete(t.Context(), "filelink", backend.DeleteOptions{}))
	require.Equal(t, "content", get(t, s, "real/sub/x"))
	require.NoError(t, s.Delete(t.Context(), "dirlink/x", backend.DeleteOptions{}))
	require.NoFileExists(t, filepath.Join(dir, "real/sub/x"))
}

// Permissions do not bind root, so root has the test run by a nobody.
func TestUnreadableDirectoryIsAProblemNotAnAbsence(t *testing.T) {
	dir := os.Getenv("LOCAL_TEST_UNPRIVILEGED")
	if dir == "" {
		dir = t.TempDir()
	}
	if os.Geteuid() == 0 {
		asNobody(t)
		return
	}
	file(t, dir, "a", "x")
	file(t, dir, "closed/x", "x")
	file(t, dir, "names/x", "x")
	file(t, dir, "z", "x")
	require.NoError(t, os.Chmod(filepath.Join(dir, "closed"), 0))
	require.NoError(t, os.Chmod(filepath.Join(dir, "names"), 0o444)) // readable, not searchable
	defer os.Chmod(filepath.Join(dir, "closed"), 0o777)
	defer os.Chmod(filepath.Join(dir, "names"), 0o777)
	s := open(t, dir)
	got := list(t, s, backend.ListOptions{})
	require.Equal(t, []string{"a", "closed/", "names/x", "z"}, keys(got))
	require.ErrorIs(t, got[1].Problem, fs.ErrPermission)
	require.ErrorIs(t, got[2].Problem, fs.ErrPermission)
	got = list(t, s, backend.ListOptions{Prefix: "closed/"})
	require.Equal(t, []string{"closed/"}, keys(got))
	for _, err := range s.List(t.Context(), backend.ListOptions{Prefix: "closed/x"}) {
		require.ErrorIs(t, err, fs.ErrPermission)
	}
	for _, key := range []string{"closed/x", "names/x"} {
		_, err := s.Stat(t.Context(), key)
		require.ErrorIs(t, err, fs.ErrPermission)
		require.NotErrorIs(t, err, fs.ErrNotExist)
		_, err = s.Put(t.Context(), key, backend.Bytes(nil), backend.PutOptions{})
		require.ErrorIs(t, err, fs.ErrPermission)
		require.ErrorIs(t, s.Delete(t.Context(), key, backend.DeleteOptions{}), fs.ErrPermission)
	}
	// A directory that may be passed through but not read is no obstacle.
	require.NoError(t, os.Chmod(filepath.Join(dir, "names"), 0o311))
	require.Equal(t, "x", get(t, s, "names/x"))
	useWalk(t)
	require.Equal(t, "x", get(t, s, "names/x"))
}

func asNobody(t *testing.T) {
	dir, err := os.MkdirTemp("", "unprivileged")
	require.NoError(t, err)
	defer os.RemoveAll(dir)
	store, binary := filepath.Join(dir, "store"), filepath.Join(dir, "test")
	require.NoError(t, os.Mkdir(store, 0o777))
	require.NoError(t, os.Chmod(dir, 0o755))
	require.NoError(t, os.Chmod(store, 0o777))
	program, err := os.ReadFile(os.Args[0])
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(binary, program, 0o755))
	const nobody = 65534
	cmd := exec.Command(binary, "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "LOCAL_TEST_UNPRIVILEGED="+store)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	out, err := cmd.CombinedOutput()
	if errors.Is(err, fs.ErrPermission) {
		t.Skip("cannot run as another user: ", err)
	}
	require.NoError(t, err, "%s", out)
	require.Contains(t, string(out), "--- PASS")
}

func TestErrorsOfTheSystemHaveTheirClass(t *testing.T) {
	s := open(t, t.TempDir())
	for errno, class := range map[syscall.Errno]error{
		syscall.ENOSPC: backend.ErrNoSpace, syscall.EDQUOT: backend.ErrNoSpace,
		syscall.EROFS: fs.ErrPermission, syscall.EACCES: fs.ErrPermission, syscall.EPERM: fs.ErrPermission,
		syscall.EIO: backend.ErrUnavailable, syscall.ESTALE: backend.ErrUnavailable, syscall.ENOTCONN: backend.ErrUnavailable,
		syscall.EMFILE: backend.ErrUnavailable, syscall.ENAMETOOLONG: backend.ErrInvalidKey, syscall.EFBIG: backend.ErrTooLarge,
		syscall.ENOENT: backend.ErrUnavailable, syscall.EEXIST: backend.ErrUnavailable, syscall.ENOTDIR: backend.ErrUnavailable,
	} {
		err := s.fail("put", "k", &fs.PathError{Op: "x", Path: "y", Err: errno})
		require.ErrorIs(t, err, class, "%v", errno)
		var e *backend.Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, "local", e.Backend)
		require.Equal(t, "k", e.Key)
		if class == backend.ErrUnavailable {
			require.False(t, backend.Definite(err), "%v", errno)
		}
	}
}

func TestConcurrentPutsAndPrunesKeepEveryObject(t *testing.T) {
	for _, durability := range []string{"none", "full"} {
		t.Run(durability, func(t *testing.T) {
			s := open(t, t.TempDir(), "durability", durability)
			rounds := 300
			if durability == "full" {
				rounds = 20
			}
			var wg sync.WaitGroup
			for _, key := range []string{"a/b/c/1", "a/b/c/2", "a/b/3", "a/4"} {
				wg.Go(func() {
					for range rounds {
						_, err := s.Put(t.Context(), key, backend.Bytes([]byte(key)), backend.PutOptions{})
						if err != nil {
							t.Error(err)
							return
						}
						o, err := s.Stat(t.Context(), key)
						if err != nil {
							t.Error(err)
							return
						}
						if err := s.Delete(t.Context(), key, backend.DeleteOptions{IfMatch: o.Tag}); err != nil {
							t.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
			require.Empty(t, list(t, s, backend.ListOptions{}))
			entries, err := os.ReadDir(s.path)
			require.NoError(t, err)
			require.Len(t, entries, 1, "empty directories go, but for our own")
		})
	}
}

// Two stores on one directory stand for two processes: their locks exclude
// each other by the file.
func TestRacingConditionalWritesHaveOneWinner(t *testing.T) {
	dir := t.TempDir()
	stores := []*store{open(t, dir), open(t, dir)}
	for _, s := range stores {
		s.hooks.rename = func(f *durable.File, name string, opts ...durable.Option) error {
			time.Sleep(time.Millisecond) // the moment between comparison and rename
			return f.Commit(name, opts...)
		}
	}
	for round := range 20 {
		var cond backend.Condition
		if round%2 == 0 {
			cond.Absent = true
			require.NoError(t, stores[0].Delete(t.Context(), "d/k", backend.DeleteOptions{}))
		} else {
			o, err := stores[0].Stat(t.Context(), "d/k")
			require.NoError(t, err)
			cond.Match = o.Tag
		}
		var mu sync.Mutex
		var won []backend.Object
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				o, err := stores[i%2].Put(t.Context(), "d/k", backend.Bytes([]byte{byte(i)}), backend.PutOptions{If: cond})
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err == nil:
					won = append(won, o)
				case !errors.Is(err, backend.ErrPrecondition) && !errors.Is(err, fs.ErrExist):
					t.Error(err)
				}
			})
		}
		wg.Wait()
		require.Len(t, won, 1)
		o, err := stores[1].Stat(t.Context(), "d/k")
		require.NoError(t, err)
		require.Equal(t, won[0].Tag, o.Tag)
	}
}

func TestADirectoryIsNoObject(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	put(t, s, "a/b", "x")
	_, err := s.Stat(t.Context(), "a")
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.NoError(t, s.Delete(t.Context(), "a", backend.DeleteOptions{}))
	require.ErrorIs(t, s.Delete(t.Context(), "a", backend.DeleteOptions{IfMatch: "x"}), fs.ErrNotExist)
	for _, cond := range []backend.Condition{{}, {Absent: true}} {
		_, err = s.Put(t.Context(), "a", backend.Bytes(nil), backend.PutOptions{If: cond})
		require.ErrorIs(t, err, backend.ErrInvalidKey)
		require.NotErrorIs(t, err, fs.ErrExist)
		_, err = s.Put(t.Context(), "a/b/c", backend.Bytes(nil), backend.PutOptions{If: cond})
		require.ErrorIs(t, err, backend.ErrInvalidKey)
		var e *backend.Error
		require.ErrorAs(t, err, &e)
		require.NotEmpty(t, e.Hint)
	}
	require.Equal(t, "x", get(t, s, "a/b"))
	// An empty directory is nothing that could be lost.
	require.NoError(t, os.Mkdir(filepath.Join(dir, "empty"), 0o777))
	put(t, s, "empty", "x", backend.PutOptions{If: backend.Condition{Absent: true}})
}
