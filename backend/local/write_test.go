package local

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pkg/xattr"
	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/internal/durable"
)

// leftovers are the files of ours that a store still has, but for locks.
func leftovers(t *testing.T, dir string) (names []string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(filepath.Join(dir, reserved), func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if !d.IsDir() && !strings.Contains(filepath.ToSlash(path), lockDir) {
			names = append(names, path)
		}
		return err
	}))
	return names
}

func TestTagOfPutIsThatOfListAndStat(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	for name, m := range map[string]backend.Metadata{
		"bare": {}, "dated": {ModTime: time.Unix(1e9, 123456789)},
		"typed": {ContentType: "text/plain", User: map[string]string{"a": "b"}},
		"old":   {ModTime: time.Unix(-5, 7)},
	} {
		for _, cond := range []backend.Condition{{}, {Absent: true}} {
			key := name + map[bool]string{true: "/absent", false: "/any"}[cond.Absent]
			o := put(t, s, key, name, backend.PutOptions{Metadata: m, If: cond})
			st, err := s.Stat(t.Context(), key)
			require.NoError(t, err)
			l := list(t, s, backend.ListOptions{Prefix: key})
			require.Equal(t, o.Tag, st.Tag)
			require.Equal(t, o.Tag, l[0].Tag)
			require.Equal(t, o.Modified, st.Modified)
			require.Equal(t, strings.TrimRight(o.Stamp, "~"), strings.TrimRight(st.Stamp, "~"),
				"the status change time is the one after the rename")
			require.True(t, strings.HasSuffix(o.Stamp, "~"), "what was just written can change once more unseen")
			if !m.ModTime.IsZero() {
				require.True(t, m.ModTime.Equal(st.Metadata.ModTime))
				require.True(t, m.ModTime.Equal(l[0].Modified))
			}
		}
	}
}

// What rsync and others overlook: same size, and the time put back.
func TestEditWithTimePutBackMovesTheStamp(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	then := time.Unix(1e9, 0)
	put(t, s, "k", "aaaa", backend.PutOptions{Metadata: backend.Metadata{ModTime: then}})
	time.Sleep(2 * fineTick)
	before, err := s.Stat(t.Context(), "k")
	require.NoError(t, err)
	require.NotContains(t, before.Stamp, "~")
	again, err := s.Stat(t.Context(), "k")
	require.NoError(t, err)
	require.Equal(t, before.Stamp, again.Stamp)

	path := filepath.Join(dir, "k")
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = f.WriteString("bbbb")
	require.NoError(t, err)
	require.NoError(t, f.Close())
	require.NoError(t, os.Chtimes(path, then, then))
	fresh := atTheChange(t, s, "k")
	require.Equal(t, before.Tag, fresh.Tag)
	require.NotEqual(t, before.Stamp, fresh.Stamp)
	require.Contains(t, fresh.Stamp, "~")
	time.Sleep(2 * fineTick)
	settled, err := s.Stat(t.Context(), "k")
	require.NoError(t, err)
	require.Equal(t, fresh.Stamp, settled.Stamp+"~")
	require.NotEqual(t, before.Stamp, settled.Stamp)
}

// atTheChange is what a look at the very moment of an object's last change tells.
func atTheChange(t *testing.T, s *store, key string) backend.Object {
	t.Helper()
	h, err := s.acquire(false)
	require.NoError(t, err)
	defer h.release()
	v, err := s.look(h, key)
	require.NoError(t, err)
	v.seen = v.ctime
	return v.object(key)
}

func TestStampIsUnsettledByGranularity(t *testing.T) {
	at := func(sec, nsec int64) moment { return moment{1e9 + sec, nsec} }
	for _, c := range []struct {
		ctime, seen moment
		racy        bool
	}{
		{at(0, 1), at(0, 2), true},
		{at(0, 1), at(0, 30e6), false},
		{at(0, 0), at(1, 0), true}, // whole seconds: may be all that there is
		{at(0, 0), at(3, 0), false},
		{at(5, 1), at(0, 0), true}, // ahead of our clock
	} {
		v := version{ctime: c.ctime, seen: c.seen}
		require.Equal(t, c.racy, v.racy(), "%+v", c)
	}
}

func TestMetadataInAttributeOrSidecar(t *testing.T) {
	full := backend.Metadata{
		ContentType: "text/html; charset=utf-8", ContentEncoding: "gzip", ContentLanguage: "de",
		ContentDisposition: `attachment; filename="ä"`, CacheControl: "no-store",
		ModTime: time.Unix(1e9, 5), User: map[string]string{"a": "<&>", "ü": "\n", "empty": ""},
	}
	large := backend.Metadata{ModTime: time.Unix(1e9, 6), User: map[string]string{"big": strings.Repeat("x", maxMetadata-50)}}
	for name, hook := range map[string]func(*os.File, string, []byte) error{
		"attribute":   xattr.FSet,
		"unsupported": noXattr,
		"too large":   func(*os.File, string, []byte) error { return &xattr.Error{Err: syscall.ENOSPC} },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			s := open(t, dir)
			s.hooks.setAttr = hook
			check := func(key, content string, m backend.Metadata) {
				t.Helper()
				st, err := s.Stat(t.Context(), key)
				require.NoError(t, err)
				require.Equal(t, content, get(t, s, key))
				got := *st.Metadata
				require.True(t, m.ModTime.Equal(got.ModTime))
				got.ModTime, m.ModTime = time.Time{}, time.Time{}
				require.Equal(t, m, got)
			}
			for range 2 {
				for _, m := range []backend.Metadata{full, large, {ModTime: time.Unix(1e9, 7)}} {
					put(t, s, "d/k", "body", backend.PutOptions{Metadata: m})
					check("d/k", "body", m)
					require.LessOrEqual(t, len(leftovers(t, dir)), 1, "the sidecar of the version before is gone")
				}
			}
			put(t, s, "d/k", "body", backend.PutOptions{Metadata: full})
			// An edit in place keeps an attribute, and cannot be told from a new
			// file by a sidecar, which then is not believed.
			file(t, dir, "d/k", "longer body")
			st, err := s.Stat(t.Context(), "d/k")
			require.NoError(t, err)
			if name != "attribute" {
				require.Empty(t, st.Metadata.User)
				n, err := s.Sweep(t.Context(), time.Now().Add(time.Hour))
				require.NoError(t, err)
				require.Equal(t, 1, n)
			}
			put(t, s, "d/k", "x", backend.PutOptions{Metadata: full})
			require.NoError(t, s.Delete(t.Context(), "d/k", backend.DeleteOptions{}))
			require.Empty(t, leftovers(t, dir))
		})
	}
}

// A crash between any two steps of replacing a file that has a sidecar leaves
// the old body with the old metadata.
func TestInterruptedReplaceKeepsBodyAndSidecarTogether(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	s.hooks.setAttr = noXattr
	put(t, s, "k", "old", backend.PutOptions{Metadata: backend.Metadata{ContentType: "old/type"}})
	s.hooks.rename = func(*durable.File, string, ...durable.Option) error { return syscall.EIO }
	_, err := s.Put(t.Context(), "k", backend.Bytes([]byte("new")), backend.PutOptions{Metadata: backend.Metadata{ContentType: "new/type"}})
	require.ErrorIs(t, err, backend.ErrUnavailable)
	require.False(t, backend.Definite(err))
	st, err := s.Stat(t.Context(), "k")
	require.NoError(t, err)
	require.Equal(t, "old/type", st.Metadata.ContentType)
	require.Equal(t, "old", get(t, s, "k"))
	require.Len(t, leftovers(t, dir), 1)
}

func TestMetadataThatCannotBeKeptIsRefused(t *testing.T) {
	s := open(t, t.TempDir())
	for name, m := range map[string]backend.Metadata{
		"large":        {User: map[string]string{"a": strings.Repeat("x", maxMetadata)}},
		"not utf8":     {User: map[string]string{"a": "\xff"}},
		"header":       {ContentType: "\xff"},
		"far future":   {ModTime: time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)},
		"collision":    {User: map[string]string{"a": "1", "A": "2"}},
		"reserved":     {User: map[string]string{"mtime": "1"}},
		"no name":      {User: map[string]string{"": "1"}},
		"large header": {CacheControl: strings.Repeat("x", maxHeader+1)},
	} {
		_, err := s.Put(t.Context(), "k", backend.Bytes(nil), backend.PutOptions{Metadata: m})
		require.ErrorIs(t, err, backend.ErrInvalidMetadata, name)
	}
	require.Empty(t, list(t, s, backend.ListOptions{}))
}

func TestForeignAttributes(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	file(t, dir, "k", "x")
	path := filepath.Join(dir, "k")
	if err := xattr.Set(path, mimeAttr, []byte("image/png")); err != nil {
		t.Skip(err)
	}
	st, err := s.Stat(t.Context(), "k")
	require.NoError(t, err)
	require.Equal(t, "image/png", st.Metadata.ContentType)
	for _, value := range []string{"not json", `{"v":99}`, ""} {
		require.NoError(t, xattr.Set(path, attrName, []byte(value)))
		_, err = s.Stat(t.Context(), "k")
		require.ErrorIs(t, err, backend.ErrInvalidMetadata, "metadata that is left out would be replicated so")
	}
	require.NoError(t, xattr.Set(path, attrName, []byte(`{"v":1,"type":"a/b","unknown":true}`)))
	st, err = s.Stat(t.Context(), "k")
	require.NoError(t, err)
	require.Equal(t, "a/b", st.Metadata.ContentType)
}

func TestModeTravelsAsUserMetadata(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, "mode", "keep")
	put(t, s, "k", "x", backend.PutOptions{Metadata: backend.Metadata{User: map[string]string{"mode": "104640", "a": "b"}}})
	info, err := os.Stat(filepath.Join(dir, "k"))
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o640), info.Mode(), "set-id bits are not applied")
	st, err := s.Stat(t.Context(), "k")
	require.NoError(t, err)
	require.Equal(t, map[string]string{"mode": "0100640", "a": "b"}, st.Metadata.User)
	_, err = s.Put(t.Context(), "k", backend.Bytes(nil), backend.PutOptions{Metadata: backend.Metadata{User: map[string]string{"mode": "rw"}}})
	require.ErrorIs(t, err, backend.ErrInvalidMetadata)
	// Elsewhere it is metadata as any other.
	plain := open(t, t.TempDir())
	put(t, plain, "k", "x", backend.PutOptions{Metadata: backend.Metadata{User: map[string]string{"mode": "100600"}}})
	st, err = plain.Stat(t.Context(), "k")
	require.NoError(t, err)
	require.Equal(t, "100600", st.Metadata.User["mode"])
}

func TestFailedWritesLeaveNothing(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	put(t, s, "k", "old")
	data := bytes.Repeat([]byte("x"), 3*copyBuffer)
	for name, c := range map[string]struct {
		hook  func(s *store)
		class error
	}{
		"disk full half way": {func(s *store) {
			n := 0
			s.hooks.write = func(f *os.File, p []byte) (int, error) {
				if n++; n == 2 {
					w, _ := f.Write(p[:100])
					return w, &fs.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}
				}
				return f.Write(p)
			}
		}, backend.ErrNoSpace},
		"disk error at the end": {func(s *store) {
			s.hooks.rename = func(*durable.File, string, ...durable.Option) error { return syscall.EIO }
		}, backend.ErrUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, dir)
			c.hook(s)
			_, err := s.Put(t.Context(), "k", backend.Bytes(data), backend.PutOptions{})
			require.ErrorIs(t, err, c.class)
			require.Equal(t, "old", get(t, s, "k"))
			require.Empty(t, leftovers(t, dir))
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	s.hooks.write = func(f *os.File, p []byte) (int, error) { cancel(); return f.Write(p) }
	_, err := s.Put(ctx, "k", backend.Bytes(data), backend.PutOptions{})
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, "old", get(t, s, "k"))
	require.Empty(t, leftovers(t, dir))
}

// A flush that fails after the file has its name must not read as "nothing
// happened".
func TestFailedDirectoryFlushIsNotDefinite(t *testing.T) {
	s := open(t, t.TempDir(), "durability", "full")
	s.hooks.rename = func(f *durable.File, name string, opts ...durable.Option) error {
		if err := f.Commit(name, opts...); err != nil {
			return err
		}
		return errors.Join(durable.ErrNotSynced, fs.ErrPermission)
	}
	_, err := s.Put(t.Context(), "k", backend.Bytes(nil), backend.PutOptions{})
	require.ErrorIs(t, err, backend.ErrUnavailable)
	require.False(t, backend.Definite(err))
}

// On a file system without hard links, exclusive renames and file locks what
// can still be kept is, and the rest is refused.
func TestPoorFileSystem(t *testing.T) {
	s := open(t, t.TempDir())
	exclusive := 0
	s.hooks.rename = func(f *durable.File, name string, opts ...durable.Option) error {
		if len(opts) > len(s.commit) {
			exclusive++
			return errors.ErrUnsupported
		}
		return f.Commit(name, opts...)
	}
	s.hooks.tryLock = func(*os.File) (bool, error) { return false, syscall.ENOTSUP }
	absent := backend.PutOptions{If: backend.Condition{Absent: true}}
	o := put(t, s, "k", "x", absent)
	require.Equal(t, 1, exclusive)
	_, err := s.Put(t.Context(), "k", backend.Bytes(nil), absent)
	require.ErrorIs(t, err, fs.ErrExist)
	_, err = s.Put(t.Context(), "k", backend.Bytes(nil), backend.PutOptions{If: backend.Condition{Match: o.Tag}})
	require.ErrorIs(t, err, errors.ErrUnsupported)
	require.ErrorIs(t, s.Delete(t.Context(), "k", backend.DeleteOptions{IfMatch: o.Tag}), errors.ErrUnsupported)
	require.Equal(t, "x", get(t, s, "k"))
	put(t, s, "k", "y")
	require.NoError(t, s.Delete(t.Context(), "k", backend.DeleteOptions{}))
}

// Another mount below the store: no rename leads there from the usual place.
func TestMountBelowTheStore(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	crossings := 0
	s.hooks.rename = func(f *durable.File, name string, opts ...durable.Option) error {
		if filepath.Dir(f.TempName()) != filepath.Dir(name) {
			crossings++
			return &os.LinkError{Op: "renameat", Err: syscall.EXDEV}
		}
		return f.Commit(name, opts...)
	}
	put(t, s, "mnt/a", "1", backend.PutOptions{Metadata: backend.Metadata{ContentType: "a/b"}})
	put(t, s, "mnt/b", "2", backend.PutOptions{If: backend.Condition{Absent: true}})
	require.Equal(t, 1, crossings, "the second one knows")
	require.Equal(t, []string{"mnt/a", "mnt/b"}, keys(list(t, s, backend.ListOptions{})))
	require.Equal(t, "1", get(t, s, "mnt/a"))

	file(t, dir, "mnt/"+durable.TempPrefix+"LEFT", "")
	n, err := s.Sweep(t.Context(), time.Now().Add(time.Hour))
	require.NoError(t, err)
	require.Equal(t, 1, n)
	// A store that never wrote there learns of it from a listing.
	file(t, dir, "mnt/"+durable.TempPrefix+"LEFT", "")
	other := open(t, dir)
	list(t, other, backend.ListOptions{})
	n, err = other.Sweep(t.Context(), time.Now().Add(time.Hour))
	require.NoError(t, err)
	require.Equal(t, 1, n)
}

func TestSweepSparesWhatIsInUse(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	n, err := s.Sweep(t.Context(), time.Now())
	require.NoError(t, err)
	require.Zero(t, n)
	h, err := s.acquire(true)
	require.NoError(t, err)
	defer h.release()
	live, err := s.temporary(h, "k", false)
	require.NoError(t, err)
	defer live.Abort()
	// A writer that set the time of its source, just before the rename.
	require.NoError(t, h.root.Chtimes(live.TempName(), time.Unix(1, 0), time.Unix(1, 0)))
	file(t, dir, tempDir+"/not-ours", "")
	n, err = s.Sweep(t.Context(), time.Now().Add(-time.Minute))
	require.NoError(t, err)
	require.Zero(t, n)
	n, err = s.Sweep(t.Context(), time.Now().Add(time.Hour))
	require.NoError(t, err)
	require.Equal(t, 1, n)
}

// A process that dies while it writes leaves the object as it was, and a
// temporary file that nobody sees and the next sweep removes.
func TestKilledWriterLeavesOnlyATemporaryFile(t *testing.T) {
	if dir := os.Getenv("LOCAL_TEST_KILLED_WRITER"); dir != "" {
		s := open(t, dir)
		s.hooks.write = func(f *os.File, p []byte) (int, error) {
			_, _ = f.Write(p)
			os.Stdout.WriteString("writing\n")
			select {} // until we are killed
		}
		_, _ = s.Put(context.Background(), "d/k", backend.Bytes(make([]byte, 10*copyBuffer)), backend.PutOptions{})
		return
	}
	dir := t.TempDir()
	s := open(t, dir)
	put(t, s, "d/k", "old")
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), "LOCAL_TEST_KILLED_WRITER="+dir)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	_, err = io.ReadFull(out, make([]byte, len("writing\n")))
	require.NoError(t, err)
	require.NoError(t, cmd.Process.Kill())
	_ = cmd.Wait()
	require.Len(t, leftovers(t, dir), 1)
	require.Equal(t, []string{"d/k"}, keys(list(t, s, backend.ListOptions{})))
	require.Equal(t, "old", get(t, s, "d/k"))
	put(t, s, "d/k", "new") // no lock is left behind
	n, err := s.Sweep(t.Context(), time.Now().Add(time.Hour))
	require.NoError(t, err)
	require.Equal(t, 1, n)
	require.Empty(t, leftovers(t, dir))
}

// A copy between two local stores goes through the kernel and still notices
// that its source changed.
func TestKernelCopyChecksItsSource(t *testing.T) {
	from, to := open(t, t.TempDir()), open(t, t.TempDir())
	content := strings.Repeat("0123456789", 300_000)
	put(t, from, "k", content)
	time.Sleep(2 * fineTick)
	source := func(after func()) backend.Body {
		return backend.Body{Size: int64(len(content)), Open: func(int64) (io.ReadCloser, error) {
			_, r, err := from.Open(t.Context(), "k", backend.OpenOptions{})
			if err != nil {
				return nil, err
			}
			return &afterEOF{wholeReader: r.(*wholeReader), call: after}, nil
		}}
	}
	to.hooks.write = func(*os.File, []byte) (int, error) { return 0, errors.New("not through this process") }
	_, err := to.Put(t.Context(), "k", source(func() {}), backend.PutOptions{})
	require.NoError(t, err)
	require.Equal(t, content, get(t, to, "k"))

	to.hooks.write = defaultHooks.write
	_, err = to.Put(t.Context(), "k2", source(func() { file(t, from.path, "k", strings.Repeat("9876543210", 300_000)) }), backend.PutOptions{})
	require.Error(t, err)
	require.Equal(t, []string{"k"}, keys(list(t, to, backend.ListOptions{})))

	// By the body's own file, whose position is not ours to move.
	f, err := os.Open(filepath.Join(to.path, "k"))
	require.NoError(t, err)
	defer f.Close()
	_, err = f.Seek(5, io.SeekStart)
	require.NoError(t, err)
	body := backend.Bytes([]byte(content))
	body.File = f
	_, err = to.Put(t.Context(), "k3", body, backend.PutOptions{})
	require.NoError(t, err)
	require.Equal(t, content, get(t, to, "k3"))
	at, err := f.Seek(0, io.SeekCurrent)
	require.NoError(t, err)
	require.EqualValues(t, 5, at)
	body.Size--
	_, err = to.Put(t.Context(), "k3", body, backend.PutOptions{})
	require.ErrorIs(t, err, backend.ErrChecksum)
}

// afterEOF changes the source at the last moment at which that matters.
type afterEOF struct {
	*wholeReader
	call func()
}

func (r *afterEOF) Read(p []byte) (int, error) {
	r.call()
	return r.wholeReader.Read(p)
}
