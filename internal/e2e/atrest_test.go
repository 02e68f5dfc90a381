package e2e

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/sse"
	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication"
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

// versitygw knows no encryption and says nothing.
func TestNothingIsSentInTheClearToAStoreThatShouldEncrypt(t *testing.T) {
	server := testutil.SharedVersityGW(t)
	settings := bucket(server, server.NewBucket(t))
	settings["sse"] = "AES256"
	policy := upload("s3", files(t, 20), settings)
	r := replicator(t)
	for range 2 {
		res, err := r.Sync(t.Context(), policy)
		require.ErrorIs(t, err, replication.ErrObjectsFailed)
		requireSays(t, err, server, "s3", `.txt"`, "does not encrypt", "leave sse and kms_key_id out")
		require.EqualValues(t, 20, res.Failed)
		for name := range keptAs(t, server, settings["bucket"]) {
			require.True(t, strings.HasPrefix(name, probeName), "%s was sent", name)
		}
	}
}
