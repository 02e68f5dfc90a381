package e2e

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/sse"
	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication"
	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/internal/testutil"
)

// keptAs returns how a server says it keeps each object of a bucket.
func keptAs(t *testing.T, server *testutil.Server, bucket string) map[string]string {
	t.Helper()
	client := server.Client(t)
	kept := map[string]string{}
	for o := range client.ListObjects(t.Context(), bucket, minio.ListObjectsOptions{Recursive: true}) {
		require.NoError(t, o.Err)
		info, err := client.StatObject(t.Context(), bucket, o.Key, minio.StatObjectOptions{})
		require.NoError(t, err, o.Key)
		kept[o.Key] = info.Metadata.Get("X-Amz-Server-Side-Encryption")
	}
	return kept
}

// ETags are no digests of the content then, and nothing may take them for such.
func TestABucketThatEncryptsIsReplicatedLikeAnyOther(t *testing.T) {
	const key = "e2e-key"
	server := testutil.MinIO(t, testutil.WithKMSKey(key))
	for _, c := range []struct {
		driver, setting, value, algorithm string
		byBucket                          *sse.Configuration
	}{
		{"s3", "kms_key_id", key, "aws:kms", nil},
		{"minio", "sse", "AES256", "AES256", nil},
		{"minio", "region", "us-east-1", "aws:kms", sse.NewConfigurationSSEKMS(key)},
	} {
		t.Run(c.driver+" "+c.setting, func(t *testing.T) {
			proxy := testutil.CountingProxy(t, server.Endpoint)
			settings := bucket(server, server.NewBucket(t))
			if c.byBucket != nil {
				require.NoError(t, server.Client(t).SetBucketEncryption(t.Context(), settings["bucket"], c.byBucket))
			}
			settings["endpoint"], settings[c.setting] = proxy.URL, c.value
			source, back := files(t, 30), filepath.Join(t.TempDir(), "back")
			write := func(name, text string, times int) {
				require.NoError(t, os.WriteFile(filepath.Join(source, name), bytes.Repeat([]byte(text), times), 0o644))
			}
			write("large", "in parts ", 1<<20) // 9 MiB
			settle(t, source)
			r := replicator(t, replication.WithPartThreshold(6<<20), replication.WithPartSize(5<<20))
			there := upload(c.driver, source, settings)
			there.TrashPrefix = ".trash/"
			pass := func() replication.SyncResult {
				t.Helper()
				res, err := r.Sync(t.Context(), there)
				require.NoError(t, err)
				require.Zero(t, res.Failed)
				return res
			}
			require.EqualValues(t, 31, pass().Synced)
			proxy.Reset()
			res := pass()
			require.Zero(t, res.Synced+res.Deleted+res.Adopted)
			require.Equal(t, map[string]int{"ListObjects": 1}, proxy.Counts())

			write("0001.txt", "changed", 1)
			write("large", "in halves ", 1<<20)
			require.NoError(t, os.Remove(filepath.Join(source, "0002.txt")))
			settle(t, source)
			res = pass()
			require.EqualValues(t, 2, res.Synced)
			require.EqualValues(t, 1, res.Deleted)
			require.Zero(t, pass().Synced)

			kept := keptAs(t, server, settings["bucket"])
			require.Len(t, kept, 31, "30 objects and one in the trash")
			trashed := 0
			for name, algorithm := range kept {
				require.Equal(t, c.algorithm, algorithm, name)
				if strings.HasPrefix(name, ".trash/") {
					trashed++
				}
			}
			require.Equal(t, 1, trashed)

			home := replication.Policy{
				ID: "back", SourceBackend: c.driver, SourceSettings: settings, Exclude: []string{".trash/**"},
				DestinationBackend: "local", DestinationSettings: directory(back),
			}
			_, err := r.Sync(t.Context(), home)
			require.NoError(t, err)
			requireSameTree(t, source, back)
			_, err = r.VerifyOf(t.Context(), there, replication.ReadAll())
			require.NoError(t, err)
		})
	}
}

func TestAKeyThatTheStoreDoesNotHaveIsTold(t *testing.T) {
	server := testutil.MinIO(t, testutil.WithKMSKey("key"))
	for _, driver := range []string{"s3", "minio"} {
		settings := bucket(server, server.NewBucket(t))
		settings["kms_key_id"] = "another-key"
		res, err := replicator(t).Sync(t.Context(), upload(driver, files(t, 3), settings))
		require.ErrorIs(t, err, replication.ErrObjectsFailed)
		require.ErrorIs(t, err, fs.ErrPermission)
		requireSays(t, err, server, "destination", "put "+driver, `.txt"`, "check kms_key_id")
		require.EqualValues(t, 3, res.Failed)
		require.Empty(t, keptAs(t, server, settings["bucket"]))
	}
}

// HEAD and LIST of MinIO show the ETag of such an encrypted object in two forms
// (docs/DESIGN.md). It is no drift, but a deletion, which MinIO cannot hold to a
// version, is not risked.
func TestAFolderMarkerInABucketThatEncryptsIsCopiedOnceAndNotDeleted(t *testing.T) {
	server := testutil.MinIO(t, testutil.WithKMSKey("key"))
	from, to := bucket(server, server.NewBucket(t)), bucket(server, server.NewBucket(t))
	to["sse"] = "AES256"
	_, err := server.Client(t).PutObject(t.Context(), from["bucket"], "folder/", bytes.NewReader(nil), 0, minio.PutObjectOptions{})
	require.NoError(t, err)
	r := replicator(t)
	policy := replication.Policy{ID: "markers", SourceBackend: "minio", SourceSettings: from, DestinationBackend: "minio", DestinationSettings: to}
	res, err := r.Sync(t.Context(), policy)
	require.NoError(t, err)
	require.EqualValues(t, 1, res.Synced)
	for range 2 {
		res, err = r.Sync(t.Context(), policy)
		require.NoError(t, err)
		require.Zero(t, res.Synced)
	}
	require.NoError(t, server.Client(t).RemoveObject(t.Context(), from["bucket"], "folder/", minio.RemoveObjectOptions{}))
	_, err = r.Sync(t.Context(), policy, replication.ForceDeletes())
	require.ErrorIs(t, err, replication.ErrObjectsFailed)
	require.ErrorContains(t, err, "left alone")
	require.Contains(t, keptAs(t, server, to["bucket"]), "folder/")
}

// versitygw knows no encryption and says nothing. What asks it for its conditions
// finds that out, and leaves nothing.
func TestNothingIsSentInTheClearToAStoreThatShouldEncrypt(t *testing.T) {
	server := testutil.SharedVersityGW(t)
	settings := bucket(server, server.NewBucket(t))
	settings["sse"] = "AES256"
	policy := upload("s3", files(t, 20), settings)
	r := replicator(t)
	for range 2 {
		res, err := r.Sync(t.Context(), policy)
		require.ErrorIs(t, err, backend.ErrNotEncrypted)
		require.NotErrorIs(t, err, replication.ErrObjectsFailed)
		requireSays(t, err, server, "s3", `.txt"`, "the pass was stopped", "does not encrypt", "leave sse and kms_key_id out")
		require.Zero(t, res.Synced)
		require.Empty(t, keptAs(t, server, settings["bucket"]))
	}
}

// Where the conditions are known from before, an object finds it out.
func TestAnObjectThatAStoreHasInTheClearIsRemovedUnlessItReplacedAnother(t *testing.T) {
	server := testutil.SharedVersityGW(t)
	for name, source := range map[string]func(t *testing.T) (replication.Policy, func(key string)){
		"put": func(t *testing.T) (replication.Policy, func(string)) {
			dir := t.TempDir()
			return upload("s3", dir, bucket(server, server.NewBucket(t))), func(key string) {
				require.NoError(t, os.WriteFile(filepath.Join(dir, key), []byte(rand.Text()), 0o644))
			}
		},
		"copy": func(t *testing.T) (replication.Policy, func(string)) {
			from := bucket(server, server.NewBucket(t))
			p := upload("s3", "", bucket(server, server.NewBucket(t)))
			p.SourceBackend, p.SourceSettings = "s3", from
			return p, func(key string) {
				text := rand.Text()
				_, err := server.Client(t).PutObject(t.Context(), from["bucket"], key, strings.NewReader(text), int64(len(text)), minio.PutObjectOptions{})
				require.NoError(t, err)
			}
		},
	} {
		for _, threshold := range []int64{1, 1 << 20} {
			t.Run(fmt.Sprintf("%s, parts from %d", name, threshold), func(t *testing.T) {
				r := replicator(t, replication.WithConcurrency(1), replication.WithPartThreshold(max(threshold, 20)))
				policy, write := source(t)
				there := policy.DestinationSettings["bucket"]
				write("first")
				_, err := r.Sync(t.Context(), policy)
				require.NoError(t, err)

				policy.DestinationSettings["sse"] = "AES256"
				write("new")
				_, err = r.Sync(t.Context(), policy)
				require.ErrorIs(t, err, backend.ErrNotEncrypted)
				require.Equal(t, map[string]string{"first": ""}, keptAs(t, server, there))

				delete(policy.DestinationSettings, "sse")
				_, err = r.Sync(t.Context(), policy)
				require.NoError(t, err)
				policy.DestinationSettings["sse"] = "AES256"
				write("first")
				_, err = r.Sync(t.Context(), policy)
				require.ErrorIs(t, err, backend.ErrNotEncrypted)
				requireSays(t, err, server, "took the place of another version")
				require.Len(t, keptAs(t, server, there), 2)

				delete(policy.DestinationSettings, "sse")
				res, err := r.Sync(t.Context(), policy)
				require.NoError(t, err)
				require.EqualValues(t, 1, res.Synced, "it is written anew")
			})
		}
	}
}

// MinIO has no such class, whatever the object.
func TestAClassThatTheStoreLacksEndsThePass(t *testing.T) {
	server := testutil.SharedMinIO(t)
	for _, driver := range []string{"s3", "minio"} {
		for name, change := range map[string]func(*replication.Policy){
			"check storageClass": func(p *replication.Policy) { p.DestinationSettings["storageClass"] = "NO_SUCH_CLASS" },
			"check storage_class of the policy": func(p *replication.Policy) {
				p.StorageClass = map[string]string{"*": "NO_SUCH_CLASS"}
			},
		} {
			t.Run(driver+", "+name, func(t *testing.T) {
				proxy := testutil.CountingProxy(t, server.Endpoint)
				settings := bucket(server, server.NewBucket(t))
				settings["endpoint"] = proxy.URL
				policy := upload(driver, files(t, 200), settings)
				change(&policy)
				_, err := replicator(t, replication.WithConcurrency(2)).Sync(t.Context(), policy)
				require.ErrorIs(t, err, backend.ErrInvalidClass)
				require.NotErrorIs(t, err, replication.ErrObjectsFailed)
				requireSays(t, err, server, "the pass was stopped", "InvalidStorageClass", "; "+name)
				require.Less(t, proxy.Counts()["PUT"], 12)
				require.Empty(t, keptAs(t, server, settings["bucket"]))
			})
		}
	}
}
