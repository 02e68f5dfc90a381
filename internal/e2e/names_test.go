package e2e

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication"
	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/azure"
	"github.com/objrepl/replication/backend/gcs"
	"github.com/objrepl/replication/internal/testutil"
)

// A name that one store cannot hold fails that object alone.
func TestANameThatAStoreCannotHoldFailsAlone(t *testing.T) {
	for _, c := range []struct {
		driver, key string
		settings    func(t *testing.T) map[string]string
	}{
		{"local", "long/" + strings.Repeat("n", 300), func(t *testing.T) map[string]string { return directory(t.TempDir()) }},
		{"s3", "two//slashes", func(t *testing.T) map[string]string {
			server := testutil.SharedMinIO(t)
			return bucket(server, server.NewBucket(t))
		}},
		{"minio", "dots/../up", func(t *testing.T) map[string]string {
			server := testutil.SharedMinIO(t)
			return bucket(server, server.NewBucket(t))
		}},
		{"gcs", "line\nbreak", func(t *testing.T) map[string]string { return gcsBucket(t, testutil.SharedFakeGCS(t)) }},
		{"azblob", `back\slash`, func(t *testing.T) map[string]string { s, _ := azureContainer(t); return s }},
	} {
		t.Run(c.driver, func(t *testing.T) {
			r := replicator(t, replication.WithDrivers(gcs.Driver, azure.Driver))
			memory := map[string]string{"name": "names for " + c.driver}
			source, err := r.OpenBackend(t.Context(), "memory", memory)
			require.NoError(t, err)
			for _, key := range []string{"first", c.key, "zz last"} {
				_, err := source.Put(t.Context(), key, backend.Bytes([]byte("x")), backend.PutOptions{})
				require.NoError(t, err)
			}
			require.NoError(t, source.Close())
			policy := replication.Policy{
				ID: "upload", SourceBackend: "memory", SourceSettings: memory,
				DestinationBackend: c.driver, DestinationSettings: c.settings(t), Enabled: true,
			}
			require.NoError(t, r.AddPolicy(t.Context(), policy))
			for attempt := range 2 {
				res, err := r.SyncPolicy(t.Context(), policy.ID)
				require.ErrorIs(t, err, replication.ErrObjectsFailed)
				require.ErrorIs(t, err, backend.ErrInvalidKey)
				t.Log(err)
				requireSays(t, err, nil, c.driver, strconv.Quote(c.key))
				require.EqualValues(t, 1, res.Failed)
				require.EqualValues(t, 2, res.Synced+res.Skipped)
				require.Len(t, res.Errors, 1)
				require.Equal(t, c.key, res.Errors[0].Key)
				listed, err := os.ReadFile(res.FailuresFile)
				require.NoError(t, err)
				require.Equal(t, 1, strings.Count(string(listed), "\n"))
				letters, err := r.Failures(t.Context(), policy.ID)
				require.NoError(t, err)
				require.Len(t, letters, 1)
				require.Equal(t, c.key, letters[0].Key)
				require.EqualValues(t, attempt+1, letters[0].Attempts)
			}
		})
	}
}
