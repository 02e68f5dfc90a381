package e2e

import (
	"bytes"
	"testing"

	"github.com/minio/minio-go/v7"
	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication"
	"github.com/objrepl/replication/internal/testutil"
)

// A plan of copies in parts between two buckets, the pass, and what the servers
// counted.
func TestAPlanForetellsTheRequestsOfCopiesInParts(t *testing.T) {
	server := testutil.SharedMinIO(t)
	client := server.Client(t)
	side := func() (*testutil.Proxy, map[string]string) {
		proxy := testutil.CountingProxy(t, server.Endpoint)
		settings := bucket(server, server.NewBucket(t))
		settings["endpoint"] = proxy.URL
		return proxy, settings
	}
	from, source := side()
	to, destination := side()
	for key, size := range map[string]int64{"small": 1000, "below": 8*mib - 1, "border": 8 * mib, "large": 12 * mib} {
		_, err := client.PutObject(t.Context(), source["bucket"], key, bytes.NewReader(make([]byte, size)), size, minio.PutObjectOptions{DisableMultipart: true})
		require.NoError(t, err)
	}
	r := replicator(t, replication.WithPartThreshold(8*mib), replication.WithPartSize(5*mib))
	policy := replication.Policy{
		ID: "parts", SourceBackend: "s3", SourceSettings: source, DestinationBackend: "minio", DestinationSettings: destination,
	}
	plan, err := r.PlanOf(t.Context(), policy)
	require.NoError(t, err)
	want := plan.Requests.Least
	require.Equal(t, want, plan.Requests.Most)
	require.Equal(t, replication.Requests{List: want.Source.List, Head: 2, Get: 2 + 2 + 3}, want.Source)
	require.Equal(t, replication.Requests{List: want.Destination.List, Put: 4 + 7 + 2 + (1 + 2 + 1) + (1 + 3 + 1), Delete: 2 + 1}, want.Destination)
	// MinIO ignores the condition of the first deletion that asks, and so needs no second.
	want.Destination.Delete--

	from.Reset()
	to.Reset()
	_, err = r.Sync(t.Context(), policy)
	require.NoError(t, err)
	for name, side := range map[string]struct {
		made map[string]int
		want replication.Requests
	}{"source": {from.Counts(), want.Source}, "destination": {to.Counts(), want.Destination}} {
		all := int64(0)
		for _, n := range side.made {
			all += int64(n)
		}
		require.EqualValues(t, side.want.List, side.made["ListObjects"], "%s: %v", name, side.made)
		require.EqualValues(t, side.want.Head, side.made["HeadObject"], "%s: %v", name, side.made)
		require.EqualValues(t, side.want.Get, side.made["GetObject"], "%s: %v", name, side.made)
		require.EqualValues(t, side.want.Put, side.made["PutObject"]+side.made["CreateMultipartUpload"]+
			side.made["UploadPart"]+side.made["CompleteMultipartUpload"], "%s: %v", name, side.made)
		require.EqualValues(t, side.want.Delete, side.made["DeleteObject"], "%s: %v", name, side.made)
		require.Equal(t, side.want.List+side.want.Head+side.want.Get+side.want.Put+side.want.Delete, all, "%s: %v", name, side.made)
	}
}
