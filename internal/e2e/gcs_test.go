package e2e

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication"
	"github.com/objrepl/replication/backend/gcs"
	"github.com/objrepl/replication/internal/testutil"
)

func gcsBucket(t *testing.T, server *testutil.Server) map[string]string {
	return map[string]string{"bucket": server.NewGCSBucket(t), "endpoint": server.Endpoint}
}

// namesInGCS returns the names of a bucket as its server lists them, those that
// the driver hides too.
func namesInGCS(t *testing.T, settings map[string]string) string {
	t.Helper()
	res, err := http.Get(settings["endpoint"] + "/storage/v1/b/" + settings["bucket"] + "/o?fields=items(name)")
	require.NoError(t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return string(body)
}

// From a directory to one bucket, to another and back: small files, one in
// parts, an unchanged pass, a change and deletions into the trash.
func TestARealTreeGoesThroughGCSAndComesBackEqual(t *testing.T) {
	server := testutil.SharedFakeGCS(t)
	source, back := realTree(t), filepath.Join(t.TempDir(), "back")
	large := bytes.Repeat([]byte("0123456789abcdef"), 20<<16) // 20 MiB, two parts
	require.NoError(t, os.WriteFile(filepath.Join(source, "large.bin"), large, 0o644))
	first, second := gcsBucket(t, server), gcsBucket(t, server)
	r := replicator(t, replication.WithDrivers(gcs.Driver), replication.WithPartThreshold(1<<20))
	policies := []replication.Policy{
		{ID: "there", SourceBackend: "local", SourceSettings: directory(source), DestinationBackend: "gcs", DestinationSettings: first,
			DestinationPrefix: "data/", TrashPrefix: "data/.trash/", MaxDelete: "off"},
		{ID: "on", SourceBackend: "gcs", SourceSettings: first, SourcePrefix: "data/", DestinationBackend: "gcs", DestinationSettings: second,
			DestinationPrefix: "copy/", Exclude: []string{".trash/**"}, MaxDelete: "off"},
		{ID: "back", SourceBackend: "gcs", SourceSettings: second, SourcePrefix: "copy/", DestinationBackend: "local",
			DestinationSettings: directory(back), DestinationPrefix: "/", MaxDelete: "off"},
	}
	pass := func() (n int64) {
		for _, p := range policies {
			res, err := r.Sync(t.Context(), p)
			require.NoError(t, err, p.ID)
			require.Zero(t, res.Failed, p.ID)
			n += res.Synced + res.Deleted + res.Adopted
		}
		return n
	}
	require.Positive(t, pass())
	requireSameTree(t, source, back)
	for _, store := range []map[string]string{first, second} {
		require.NotContains(t, namesInGCS(t, store), ".objrepl/", "nothing temporary is left")
	}
	require.Zero(t, pass(), "an unchanged pass does nothing")

	require.NoError(t, os.WriteFile(filepath.Join(source, "large.bin"), large[:17<<20], 0o644))
	require.NoError(t, os.Remove(filepath.Join(source, "big.txt")))
	require.EqualValues(t, 6, pass())
	requireSameTree(t, source, back)
	require.True(t, strings.Contains(namesInGCS(t, first), "Z/big.txt"), "it is in the trash")
	for _, p := range policies {
		_, err := r.VerifyOf(t.Context(), p, replication.ReadAll())
		require.NoError(t, err, p.ID)
	}
}
