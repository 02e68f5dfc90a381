package e2e

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication"
	"github.com/objrepl/replication/backend/minio"
	"github.com/objrepl/replication/backend/s3"
	"github.com/objrepl/replication/internal/testutil"
)

func TestMain(m *testing.M) { testutil.Main(m, testutil.ServerMinIO) }

// replicator opens a replicator with every driver, on a state directory of the
// test's own.
func replicator(t *testing.T, opts ...replication.Option) *replication.Replicator {
	t.Helper()
	r, err := replication.New(append([]replication.Option{
		replication.WithStateDir(filepath.Join(t.TempDir(), "state")),
		replication.WithDrivers(s3.Driver, minio.Driver),
	}, opts...)...)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.Close()) })
	return r
}

// bucket returns the settings of a bucket on a server, which both drivers take.
func bucket(server *testutil.Server, name string) map[string]string {
	return map[string]string{
		"bucket": name, "endpoint": server.Endpoint, "region": "us-east-1",
		"accessKey": server.AccessKey, "secretKey": server.SecretKey,
	}
}

func directory(path string) map[string]string { return map[string]string{"path": path} }

// tree reads a directory's files, without what the local driver hides there.
func tree(t *testing.T, dir string) map[string]file {
	t.Helper()
	out := map[string]file{}
	require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if d.Name() == ".objrepl" {
				return filepath.SkipDir
			}
			return nil
		}
		if !d.Type().IsRegular() {
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		out[filepath.ToSlash(rel)] = file{content, info.ModTime().UTC()}
		return err
	}))
	return out
}

type file struct {
	content []byte
	mtime   time.Time
}

func requireSameTree(t *testing.T, want, got string) {
	t.Helper()
	wanted, found := tree(t, want), tree(t, got)
	for name, w := range wanted {
		g, ok := found[name]
		require.True(t, ok, "%s is missing", name)
		require.True(t, bytes.Equal(w.content, g.content), "%s differs", name)
		require.True(t, w.mtime.Equal(g.mtime), "%s: mtime %v is now %v", name, w.mtime, g.mtime)
		delete(found, name)
	}
	for name := range found {
		require.Fail(t, "too much", "%s", name)
	}
}

// A tree of real files: a git repository, with its many small objects, its
// larger packs and files that are not writable.
func realTree(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	git := func(args ...string) {
		cmd := exec.CommandContext(t.Context(), "git", args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_SYSTEM="+os.DevNull,
			"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com")
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
	git("init", "-q")
	sources, err := filepath.Glob("../../backend/*/*.go")
	require.NoError(t, err)
	require.NotEmpty(t, sources)
	for _, name := range sources {
		content, err := os.ReadFile(name)
		require.NoError(t, err)
		target := filepath.Join(dir, filepath.Base(filepath.Dir(name)), filepath.Base(name))
		require.NoError(t, os.MkdirAll(filepath.Dir(target), 0o755))
		require.NoError(t, os.WriteFile(target, content, 0o644))
	}
	git("add", ".")
	git("commit", "-qm", "one")
	git("repack", "-q", "-a")
	big := bytes.Repeat([]byte("a line that repeats\n"), 200_000)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "big.txt"), big, 0o644))
	git("add", ".")
	git("commit", "-qm", "two")
	return dir
}

func TestARealTreeGoesToABucketAndComesBackEqual(t *testing.T) {
	for _, driver := range []string{"s3", "minio"} {
		t.Run(driver, func(t *testing.T) {
			server := testutil.SharedMinIO(t)
			source, back := realTree(t), filepath.Join(t.TempDir(), "back")
			r := replicator(t)
			store := bucket(server, server.NewBucket(t))
			there := replication.Policy{
				ID: "there", SourceBackend: "local", SourceSettings: directory(source),
				DestinationBackend: driver, DestinationSettings: store,
			}
			res, err := r.Sync(t.Context(), there)
			require.NoError(t, err)
			require.Positive(t, res.Synced)
			_, err = r.Sync(t.Context(), replication.Policy{
				ID: "back", SourceBackend: driver, SourceSettings: store,
				DestinationBackend: "local", DestinationSettings: directory(back),
			})
			require.NoError(t, err)
			requireSameTree(t, source, back)

			res, err = r.Sync(t.Context(), there)
			require.NoError(t, err)
			require.Zero(t, res.Synced+res.Adopted+res.Deleted)
		})
	}
}

func TestASameSizeEditWithItsTimePutBackIsFound(t *testing.T) {
	server := testutil.SharedMinIO(t)
	source := t.TempDir()
	path := filepath.Join(source, "report.txt")
	require.NoError(t, os.WriteFile(path, []byte("total: 100"), 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(source, "other.txt"), []byte("other"), 0o644))
	before, err := os.Stat(path)
	require.NoError(t, err)
	r := replicator(t)
	store := bucket(server, server.NewBucket(t))
	policy := replication.Policy{
		ID: "p", SourceBackend: "local", SourceSettings: directory(source),
		DestinationBackend: "s3", DestinationSettings: store,
	}
	_, err = r.Sync(t.Context(), policy)
	require.NoError(t, err)

	require.NoError(t, os.WriteFile(path, []byte("total: 999"), 0o644))
	require.NoError(t, os.Chtimes(path, before.ModTime(), before.ModTime()))
	res, err := r.Sync(t.Context(), policy)
	require.NoError(t, err)
	require.EqualValues(t, 1, res.Synced)
	back := filepath.Join(t.TempDir(), "back")
	_, err = r.Sync(t.Context(), replication.Policy{
		ID: "back", SourceBackend: "s3", SourceSettings: store,
		DestinationBackend: "local", DestinationSettings: directory(back),
	})
	require.NoError(t, err)
	requireSameTree(t, source, back)

	// A file whose status alone changed is looked at, and not sent again.
	require.NoError(t, os.Chmod(path, 0o600))
	res, err = r.Sync(t.Context(), policy)
	require.NoError(t, err)
	require.Zero(t, res.Synced)
}
