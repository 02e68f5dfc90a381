package local

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/internal/durable"
)

func list(t require.TestingT, s *store, opts backend.ListOptions) []backend.Object {
	var all []backend.Object
	for page, err := range s.List(context.Background(), opts) {
		require.NoError(t, err)
		require.NotEmpty(t, page)
		all = append(all, page...)
	}
	return all
}

func keys(objects []backend.Object) []string {
	out := []string{}
	for _, o := range objects {
		out = append(out, o.Key)
	}
	return out
}

func file(t testing.TB, dir, key, content string) {
	t.Helper()
	path := filepath.Join(dir, filepath.FromSlash(key))
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o777))
	require.NoError(t, os.WriteFile(path, []byte(content), 0o666))
}

// The order of directories among files is where listings of file systems go
// wrong: a-b and a.txt sort before what is in a, a0 after it.
func TestListOrdersDirectoriesAmongFiles(t *testing.T) {
	dir := t.TempDir()
	want := []string{"a!/x", "a-b/c", "a.txt", "a/b", "a/b-", "a0", "a~", "z/y/x", "é"}
	for _, key := range want {
		file(t, dir, key, key)
	}
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "empty/deep"), 0o777))
	got := list(t, open(t, dir), backend.ListOptions{})
	require.Equal(t, want, keys(got))
	require.True(t, slices.IsSorted(keys(got)))
}

// names are of characters on both sides of the slash.
var names = rapid.Custom(func(t *rapid.T) string {
	return strings.Join(rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "-", ".", "!", "~", "0", " ", "é", "\x01"}), 1, 3).Draw(t, "name"), "")
})

func TestListEqualsSortedReference(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp("", "list")
		require.NoError(t, err)
		defer os.RemoveAll(dir)
		var all []string
		for range rapid.IntRange(0, 60).Draw(t, "files") {
			parts := rapid.SliceOfN(names, 1, 4).Draw(t, "key")
			key := strings.Join(parts, "/")
			if slices.ContainsFunc(parts, func(p string) bool { return p == "." || p == ".." }) || slices.Contains(all, key) {
				continue
			}
			path := filepath.Join(dir, key)
			if os.MkdirAll(filepath.Dir(path), 0o777) != nil || os.WriteFile(path, []byte(key), 0o666) != nil {
				continue // a file where a directory is needed, or the reverse
			}
			all = append(all, key)
		}
		slices.Sort(all)
		bound := func(label string) string {
			if len(all) > 0 && rapid.Bool().Draw(t, label+" is a key") {
				return rapid.SampledFrom(all).Draw(t, label)
			}
			if rapid.Bool().Draw(t, label+" is empty") {
				return ""
			}
			return strings.Join(rapid.SliceOfN(names, 1, 3).Draw(t, label), "/")
		}
		opts := backend.ListOptions{Prefix: bound("prefix"), After: bound("after"), Until: bound("until")}
		if n := len(opts.Prefix); n > 0 {
			opts.Prefix = opts.Prefix[:rapid.IntRange(0, n).Draw(t, "prefix length")]
		}
		want := []string{}
		for _, k := range all {
			if strings.HasPrefix(k, opts.Prefix) && k > opts.After && (opts.Until == "" || k <= opts.Until) {
				want = append(want, k)
			}
		}
		b, err := Driver.Open(context.Background(), backend.Settings{"path": dir})
		require.NoError(t, err)
		defer b.Close()
		b.(*store).hooks.sort = rapid.SampledFrom(append(tiny, defaultHooks.sort)).Draw(t, "limits")
		got := list(t, b.(*store), opts)
		require.Equal(t, want, keys(got))
		for _, o := range got {
			require.EqualValues(t, len(o.Key), o.Size)
			st, err := b.Stat(context.Background(), o.Key)
			require.NoError(t, err)
			require.Equal(t, st.Tag, o.Tag)
			require.Equal(t, st.Modified, o.Modified)
		}
	})
}

// Large directories go through several chunks, are dropped when they are read
// ahead of their turn, and have directories among their files.
func TestListLargeAndNestedDirectories(t *testing.T) {
	if testing.Short() {
		t.Skip("makes many files")
	}
	dir := t.TempDir()
	var want []string
	add := func(key string) {
		want = append(want, key)
		file(t, dir, key, "")
	}
	for i := range 3 * chunk {
		add(fmt.Sprintf("big/%04d", i*7919%10000))
		if i%100 == 0 {
			add(fmt.Sprintf("big/%04d-sub/x", i))
			add(fmt.Sprintf("many/%04d/a/b/c", i))
		}
	}
	for i := range 400 {
		add(fmt.Sprintf("many/%04d-x/y", i))
	}
	add(strings.Repeat("deep/", 200) + "x")
	slices.Sort(want)
	want = slices.Compact(want)
	s := open(t, dir)
	require.Equal(t, want, keys(list(t, s, backend.ListOptions{})))
	for page := range s.List(t.Context(), backend.ListOptions{}) {
		require.LessOrEqual(t, len(page), pageSize)
	}
	s.hooks.sort = tiny[2]
	// Any key is a place to go on from.
	for i := 0; i < len(want); i += 97 {
		require.Equal(t, want[i+1:], keys(list(t, s, backend.ListOptions{After: want[i]})))
		require.Equal(t, want[:i+1], keys(list(t, s, backend.ListOptions{Until: want[i]})))
	}
}

func TestListStopsWithItsConsumer(t *testing.T) {
	dir := t.TempDir()
	for i := range 2500 {
		file(t, dir, fmt.Sprintf("%02d/%d", i%50, i), "")
	}
	s := open(t, dir)
	for page, err := range s.List(t.Context(), backend.ListOptions{}) {
		require.NoError(t, err)
		require.Len(t, page, pageSize)
		break // goleak sees what is left running
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var last error
	for _, err := range s.List(ctx, backend.ListOptions{}) {
		cancel()
		last = err
	}
	require.ErrorIs(t, last, context.Canceled)
}

func TestListNeverShowsWhatIsOurs(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	_, err := s.Put(t.Context(), "a/b", backend.Bytes([]byte("x")), backend.PutOptions{})
	require.NoError(t, err)
	file(t, dir, "a/"+durable.TempPrefix+"Z", "")
	file(t, dir, durable.TempPrefix+"Z", "")
	file(t, dir, "a/.objrepl/x", "not at the top, so not ours")
	require.Equal(t, []string{"a/.objrepl/x", "a/b"}, keys(list(t, s, backend.ListOptions{})))
	for _, prefix := range []string{".objrepl", ".objrepl/", ".objrepl/tmp/", "../", "a//", "/", "./"} {
		require.Empty(t, list(t, s, backend.ListOptions{Prefix: prefix}), prefix)
	}
}

func TestListReportsNamesThatAreNoKeys(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a\xff"), nil, 0o666); err != nil {
		t.Skip("the file system refuses such names")
	}
	file(t, dir, "b\xff/c", "")
	file(t, dir, "ok", "")
	got := list(t, open(t, dir), backend.ListOptions{})
	require.Equal(t, []string{"a\xff", "b\xff/", "ok"}, keys(got))
	require.ErrorIs(t, got[0].Problem, backend.ErrInvalidKey)
	require.ErrorIs(t, got[1].Problem, backend.ErrInvalidKey)
	require.NoError(t, got[2].Problem)
}

func TestListMissingAndReplacedRoot(t *testing.T) {
	parent := t.TempDir()
	dir := filepath.Join(parent, "store")
	s := open(t, dir)
	failure := func() (err error) {
		for page, e := range s.List(t.Context(), backend.ListOptions{}) {
			require.Empty(t, page)
			err = e
		}
		return err
	}
	err := failure()
	require.ErrorIs(t, err, backend.ErrStoreNotFound)
	require.NotErrorIs(t, err, os.ErrNotExist)
	require.NoDirExists(t, dir, "only a write makes it")

	file(t, dir, "a", "x")
	require.Equal(t, []string{"a"}, keys(list(t, s, backend.ListOptions{})))
	require.NoError(t, os.Rename(dir, dir+".old"))
	require.ErrorIs(t, failure(), backend.ErrStoreNotFound)
	file(t, dir, "b", "another tree")
	require.ErrorIs(t, failure(), backend.ErrUnavailable)
	_, err = s.Stat(t.Context(), "a")
	require.ErrorIs(t, err, backend.ErrUnavailable)
	_, err = s.Put(t.Context(), "c", backend.Bytes(nil), backend.PutOptions{})
	require.ErrorIs(t, err, backend.ErrUnavailable)
	require.ErrorIs(t, s.Delete(t.Context(), "a", backend.DeleteOptions{}), backend.ErrUnavailable)
	require.NoError(t, os.RemoveAll(dir))
	_, err = s.Put(t.Context(), "c", backend.Bytes(nil), backend.PutOptions{})
	require.ErrorIs(t, err, backend.ErrStoreNotFound, "a store that was seen is never made anew")
	require.NoDirExists(t, dir)
	require.NoError(t, os.Rename(dir+".old", dir))
	require.Equal(t, []string{"a"}, keys(list(t, s, backend.ListOptions{})))
	require.NoError(t, s.Close())
	require.True(t, errors.Is(failure(), os.ErrClosed) || errors.Is(failure(), backend.ErrUnavailable))
}

// A listing that begins in the right directory and ends in another one must
// not pass for complete.
func TestListNoticesThatItsDirectoryWasReplacedMeanwhile(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	for i := range pageSize + 1 {
		file(t, dir, fmt.Sprint(i), "")
	}
	s := open(t, dir)
	var last error
	for _, err := range s.List(t.Context(), backend.ListOptions{}) {
		if last = err; err == nil {
			_ = os.Rename(dir, dir+".old")
		}
	}
	require.ErrorIs(t, last, backend.ErrStoreNotFound)
}

// Only directories that can hold a key of the range are read: a shard in the
// middle of a large tree must not cost what lies before it.
func TestRangeLeavesOutDirectories(t *testing.T) {
	for _, c := range []struct {
		r       span
		dir     string
		touches bool
	}{
		{span{}, "a/", true},
		{span{prefix: "a/b"}, "a/", true},
		{span{prefix: "a/b"}, "a/b/", true},
		{span{prefix: "a/b"}, "a/bc/", true},
		{span{prefix: "a/b"}, "a/c/", false},
		{span{prefix: "a/b"}, "b/", false},
		{span{after: "b/x"}, "a/", false},
		{span{after: "b/x"}, "b/", true},
		{span{after: "b/x"}, "b/w/", false},
		{span{after: "b/x"}, "b/x/", true},
		{span{after: "b/"}, "b/", true},
		{span{after: "b0"}, "b/", false},
		{span{until: "b/x"}, "b/", true},
		{span{until: "b/"}, "b/", false},
		{span{until: "b"}, "b/", false},
		{span{until: "b/x"}, "c/", false},
	} {
		require.Equal(t, c.touches, c.r.touches([]byte(c.dir)), "%+v", c)
	}
}

// Every tree with directories that appear and go while it is listed yields
// ordered keys, and every key that was there all the time.
func TestListWhileTheTreeChanges(t *testing.T) {
	dir := t.TempDir()
	var want []string
	for i := range 200 {
		want = append(want, fmt.Sprintf("stay/%03d/x", i))
		file(t, dir, want[i], "")
	}
	s := open(t, dir)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := 0; ctx.Err() == nil; i++ {
			key := fmt.Sprintf("stay/%03d-gone/y/z", i%200)
			file(t, dir, key, "")
			os.RemoveAll(filepath.Join(dir, filepath.Dir(filepath.Dir(key))))
		}
	}()
	for range 30 {
		got := keys(list(t, s, backend.ListOptions{}))
		require.True(t, slices.IsSorted(got))
		require.Equal(t, want, slices.DeleteFunc(got, func(k string) bool { return strings.Contains(k, "gone") }))
	}
	cancel()
	<-done
}
