package pairs

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication"
	"github.com/objrepl/replication/backend/azure"
	"github.com/objrepl/replication/backend/gcs"
	"github.com/objrepl/replication/backend/minio"
	"github.com/objrepl/replication/backend/s3"
	"github.com/objrepl/replication/internal/testutil"
)

const mib = 1 << 20

func TestMain(m *testing.M) { testutil.Main(m, testutil.ServerMinIO) }

// replicator opens a replicator with every driver.
func replicator(t *testing.T, opts ...replication.Option) *replication.Replicator {
	t.Helper()
	r, err := replication.New(append(opts,
		replication.WithStateDir(filepath.Join(t.TempDir(), "state")),
		replication.WithDrivers(s3.Driver, minio.Driver, gcs.Driver, azure.Driver))...)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.Close()) })
	return r
}

func directory(path string) map[string]string { return map[string]string{"path": path} }

// bucket returns the settings of a bucket on a server, which both drivers take.
func bucket(server *testutil.Server, name string) map[string]string {
	return map[string]string{
		"bucket": name, "endpoint": server.Endpoint, "region": "us-east-1",
		"accessKey": server.AccessKey, "secretKey": server.SecretKey,
	}
}
