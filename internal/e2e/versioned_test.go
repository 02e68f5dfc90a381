package e2e

import (
	"bytes"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/minio/minio-go/v7"
	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication"
	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/internal/testutil"
)

// versioned returns the settings of a bucket that keeps versions.
func versioned(t *testing.T, server *testutil.Server) map[string]string {
	t.Helper()
	name := server.NewBucket(t)
	require.NoError(t, server.Client(t).EnableVersioning(t.Context(), name))
	return bucket(server, name)
}

// A keptVersion is one version of an object as its bucket lists it.
type keptVersion struct {
	key, id string
	marker  bool
	latest  bool
}

// versionsOf lists all versions of a bucket, those of probes aside, newest first.
func versionsOf(t *testing.T, server *testutil.Server, bucket string) map[string][]keptVersion {
	t.Helper()
	out := map[string][]keptVersion{}
	for o := range server.Client(t).ListObjects(t.Context(), bucket, minio.ListObjectsOptions{Recursive: true, WithVersions: true}) {
		require.NoError(t, o.Err)
		if !strings.Contains(o.Key, probeName) {
			out[o.Key] = append(out[o.Key], keptVersion{o.Key, o.VersionID, o.IsDeleteMarker, o.IsLatest})
		}
	}
	return out
}

// requireKept wants each version that was there to be there still.
func requireKept(t *testing.T, before, after map[string][]keptVersion) {
	t.Helper()
	for key, versions := range before {
		for _, v := range versions {
			found := false
			for _, w := range after[key] {
				found = found || w.id == v.id && w.marker == v.marker
			}
			require.True(t, found, "version %s of %s is purged", v.id, key)
		}
	}
}

// removeMarker purges the delete marker that hides an object.
func removeMarker(t *testing.T, server *testutil.Server, bucket, key string) {
	t.Helper()
	for _, v := range versionsOf(t, server, bucket)[key] {
		if v.latest {
			require.True(t, v.marker, key)
			require.NoError(t, server.Client(t).RemoveObject(t.Context(), bucket, key, minio.RemoveObjectOptions{VersionID: v.id}))
		}
	}
}

func TestAVersionedDestinationKeepsEveryVersion(t *testing.T) {
	withVersions := testutil.VersityGW(t, testutil.WithArgs("--versioning-dir", t.TempDir()))
	for _, c := range []struct {
		name, driver, trash string
		server              *testutil.Server
	}{
		{"s3 on MinIO", "s3", "", testutil.SharedMinIO(t)},
		{"minio on MinIO, with a trash", "minio", ".trash/", testutil.SharedMinIO(t)},
		{"s3 on versitygw, whose deletions hold on a condition", "s3", "", withVersions},
	} {
		t.Run(c.name, func(t *testing.T) {
			settings := versioned(t, c.server)
			name := settings["bucket"]
			proxy := testutil.CountingProxy(t, c.server.Endpoint)
			settings["endpoint"] = proxy.URL
			var named atomic.Int64
			proxy.Intercept(func(_ string, w http.ResponseWriter, req *http.Request, next http.Handler) {
				if req.URL.Query().Has("versionId") {
					named.Add(1)
				}
				next.ServeHTTP(w, req)
			})
			source := files(t, 10)
			write := func(name, text string, times int) {
				require.NoError(t, os.WriteFile(filepath.Join(source, name), bytes.Repeat([]byte(text), times), 0o644))
			}
			remove := func(names ...string) {
				for _, name := range names {
					require.NoError(t, os.Remove(filepath.Join(source, name)))
				}
			}
			write("large", "in parts ", 1<<20)
			settle(t, source)
			r := replicator(t, replication.WithPartThreshold(6<<20), replication.WithPartSize(5<<20))
			policy := upload(c.driver, source, settings)
			policy.TrashPrefix, policy.MaxDelete = c.trash, "off"
			before := versionsOf(t, c.server, name)
			pass := func() replication.SyncResult {
				t.Helper()
				res, err := r.Sync(t.Context(), policy)
				require.NoError(t, err)
				after := versionsOf(t, c.server, name)
				requireKept(t, before, after)
				before = after
				return res
			}
			require.EqualValues(t, 11, pass().Synced)
			proxy.Reset()
			require.Zero(t, pass().Synced)
			require.Equal(t, map[string]int{"ListObjects": 1}, proxy.Counts())

			write("0001.txt", "changed", 1)
			write("large", "in halves ", 1<<20)
			remove("0002.txt", "0003.txt", "0004.txt") // in bulk
			settle(t, source)
			res := pass()
			require.EqualValues(t, 2, res.Synced)
			require.EqualValues(t, 3, res.Deleted)
			remove("0005.txt") // alone
			require.EqualValues(t, 1, pass().Deleted)
			for key, want := range map[string]int{"0001.txt": 2, "large": 2, "0000.txt": 1} {
				require.Len(t, before[key], want, key)
			}
			for _, key := range []string{"0002.txt", "0003.txt", "0004.txt", "0005.txt"} {
				require.Len(t, before[key], 2, key)
				require.True(t, before[key][0].marker && before[key][0].latest, "%s: %v", key, before[key])
			}
			live := keysIn(t, c.server.Client(t), name)
			want := 7
			if c.trash != "" {
				want += 4
			}
			require.Len(t, live, want, "no marker and no probe among %v", live)

			// Written again over its marker, on condition of absence.
			write("0002.txt", "again", 1)
			settle(t, source)
			if c.server == withVersions {
				// It takes the marker for an object (docs/DESIGN.md).
				res, err := r.Sync(t.Context(), policy)
				require.ErrorIs(t, err, fs.ErrExist)
				require.EqualValues(t, 1, res.Failed)
				return
			}
			require.EqualValues(t, 1, pass().Synced)
			require.Len(t, before["0002.txt"], 3)

			// Brought back at the destination: it is nobody's then, and left alone.
			removeMarker(t, c.server, name, "0003.txt")
			before = versionsOf(t, c.server, name)
			res = pass()
			require.Zero(t, res.Synced+res.Deleted+res.Adopted)
			require.Contains(t, keysIn(t, c.server.Client(t), name), "0003.txt")
			require.Zero(t, named.Load(), "a request named a version")
			_, err := r.VerifyOf(t.Context(), policy, replication.ReadAll(), replication.AllowExtra())
			require.NoError(t, err)
		})
	}
}

func TestADeleteMarkerAtTheSourceIsAnAbsence(t *testing.T) {
	server := testutil.SharedMinIO(t)
	settings, back := versioned(t, server), t.TempDir()
	name, client := settings["bucket"], server.Client(t)
	put := func(key string) {
		_, err := client.PutObject(t.Context(), name, key, strings.NewReader("x"), 1, minio.PutObjectOptions{})
		require.NoError(t, err)
	}
	remove := func(key string) {
		require.NoError(t, client.RemoveObject(t.Context(), name, key, minio.RemoveObjectOptions{}))
	}
	put("stays")
	put("goes")
	put("marker")
	remove("marker")
	for _, v := range versionsOf(t, server, name)["marker"] {
		if !v.marker {
			require.NoError(t, client.RemoveObject(t.Context(), name, v.key, minio.RemoveObjectOptions{VersionID: v.id}))
		}
	}
	require.Len(t, versionsOf(t, server, name)["marker"], 1, "nothing but a marker")
	for _, driver := range []string{"s3", "minio"} {
		b, err := replicator(t).OpenBackend(t.Context(), driver, settings)
		require.NoError(t, err)
		_, err = b.Stat(t.Context(), "marker")
		require.ErrorIs(t, err, fs.ErrNotExist)
		_, _, err = b.Open(t.Context(), "marker", backend.OpenOptions{})
		require.ErrorIs(t, err, fs.ErrNotExist)
		copier, ok := backend.As[backend.Copier](b)
		require.True(t, ok)
		_, err = copier.Copy(t.Context(), "marker", "copy", backend.CopyOptions{})
		require.ErrorIs(t, err, fs.ErrNotExist)
		require.NoError(t, b.Close())
	}
	r := replicator(t)
	policy := replication.Policy{
		ID: "back", SourceBackend: "s3", SourceSettings: settings,
		DestinationBackend: "local", DestinationSettings: directory(back), MaxDelete: "off",
	}
	pass := func() (names []string) {
		t.Helper()
		_, err := r.Sync(t.Context(), policy)
		require.NoError(t, err)
		for name := range tree(t, back) {
			names = append(names, name)
		}
		return names
	}
	require.ElementsMatch(t, []string{"stays", "goes"}, pass())
	remove("goes")
	require.ElementsMatch(t, []string{"stays"}, pass())
	removeMarker(t, server, name, "goes")
	require.ElementsMatch(t, []string{"stays", "goes"}, pass())
}

// S3 keeps one version then, named "null", which a write or a deletion takes the
// place of; those from before stay.
func TestASuspendedBucketKeepsItsOldVersions(t *testing.T) {
	server := testutil.SharedMinIO(t)
	for _, driver := range []string{"s3", "minio"} {
		settings := versioned(t, server)
		name, source := settings["bucket"], files(t, 3)
		r := replicator(t)
		policy := upload(driver, source, settings)
		policy.MaxDelete = "off"
		pass := func() map[string][]keptVersion {
			t.Helper()
			_, err := r.Sync(t.Context(), policy)
			require.NoError(t, err)
			return versionsOf(t, server, name)
		}
		before := pass()
		require.NoError(t, server.Client(t).SuspendVersioning(t.Context(), name))
		for _, text := range []string{"one", "another"} {
			require.NoError(t, os.WriteFile(filepath.Join(source, "0000.txt"), []byte(text), 0o644))
			settle(t, source)
			after := pass()
			requireKept(t, before, after)
			require.Len(t, after["0000.txt"], 2)
			require.Equal(t, "null", after["0000.txt"][0].id)
		}
		require.NoError(t, os.Remove(filepath.Join(source, "0000.txt")))
		require.NoError(t, os.Remove(filepath.Join(source, "0001.txt")))
		after := pass()
		requireKept(t, before, after)
		for _, key := range []string{"0000.txt", "0001.txt"} {
			require.Len(t, after[key], 2, key)
			require.Equal(t, keptVersion{key, "null", true, true}, after[key][0])
		}
		require.Equal(t, []string{"0002.txt"}, keysIn(t, server.Client(t), name))
		require.Equal(t, after, pass(), "an unchanged pass adds no marker")
	}
}

// What asking a bucket leaves in it is old versions under a marker: no pass sees
// them.
func TestWhatAProbeLeavesInAVersionedBucketIsHidden(t *testing.T) {
	server := testutil.SharedMinIO(t)
	settings := versioned(t, server)
	r := replicator(t)
	policy := upload("s3", files(t, 2), settings)
	_, err := r.Sync(t.Context(), policy)
	require.NoError(t, err)
	probes, shown := 0, 0
	for o := range server.Client(t).ListObjects(t.Context(), settings["bucket"], minio.ListObjectsOptions{Recursive: true, WithVersions: true}) {
		require.NoError(t, o.Err)
		if strings.Contains(o.Key, probeName) {
			probes++
			if o.IsLatest && !o.IsDeleteMarker {
				shown++
			}
		}
	}
	require.GreaterOrEqual(t, probes, 2)
	require.Zero(t, shown)
	_, err = r.VerifyOf(t.Context(), policy)
	require.NoError(t, err)
	res, err := replicator(t).Sync(t.Context(), replication.Policy{
		ID: "back", SourceBackend: "s3", SourceSettings: settings,
		DestinationBackend: "local", DestinationSettings: directory(t.TempDir()),
	})
	require.NoError(t, err)
	require.EqualValues(t, 2, res.Synced)
}

func TestAConditionalDeletionInAVersionedBucketAddsNoMarkerToAnotherVersion(t *testing.T) {
	server := testutil.VersityGW(t, testutil.WithArgs("--versioning-dir", t.TempDir()))
	settings := versioned(t, server)
	for _, driver := range []string{"s3", "minio"} {
		b, err := replicator(t).OpenBackend(t.Context(), driver, settings)
		require.NoError(t, err)
		old, err := b.Put(t.Context(), driver, backend.Bytes([]byte("old")), backend.PutOptions{})
		require.NoError(t, err)
		current, err := b.Put(t.Context(), driver, backend.Bytes([]byte("new")), backend.PutOptions{})
		require.NoError(t, err)
		require.ErrorIs(t, b.Delete(t.Context(), driver, backend.DeleteOptions{IfMatch: old.Tag}), backend.ErrPrecondition)
		require.Len(t, versionsOf(t, server, settings["bucket"])[driver], 2)
		require.NoError(t, b.Delete(t.Context(), driver, backend.DeleteOptions{IfMatch: current.Tag}))
		left := versionsOf(t, server, settings["bucket"])[driver]
		require.Len(t, left, 3)
		require.True(t, left[0].marker)
		require.NoError(t, b.Close())
	}
}
