//go:build linux

package pairs

import (
	"net/http"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/azure"
	"github.com/objrepl/replication/backend/gcs"
	"github.com/objrepl/replication/backend/local"
	"github.com/objrepl/replication/backend/minio"
	"github.com/objrepl/replication/backend/s3"
	"github.com/objrepl/replication/internal/testutil"
)

// A matrixStore is a kind of store that the matrix replicates from and to.
type matrixStore struct {
	driver backend.Driver
	// fresh makes an empty bucket, container or directory, whose requests go
	// through a proxy in front of server's endpoint.
	server func(testing.TB) *testutil.Server
	fresh  func(tb testing.TB, server *testutil.Server, endpoint string) map[string]string
	// perOpen is how many requests it takes to open an object, and sweep how many
	// listings to find that nothing is left to sweep.
	perOpen, sweep int
	// contentTags: tags are hashes of the content.
	contentTags bool
	// refused are keys, by their beginning, that the server refuses although the
	// driver's CheckKey cannot know it, and why.
	refused map[string]string
	// unlisted are keys that the server takes and then cannot list, so that
	// nobody can replicate them. They are left out of pairs with this store.
	unlisted map[string]string
}

const (
	fileSystem = "a file system holds no file below a file"
	nameMax    = "a file name has at most 255 bytes, and the server keeps each segment as one"
)

var matrixStores = []matrixStore{
	{
		driver: local.Driver,
		fresh: func(tb testing.TB, _ *testutil.Server, _ string) map[string]string {
			return directory(filepath.Join(tb.TempDir(), "objects"))
		},
		refused: map[string]string{belowFile: fileSystem},
	},
	{
		driver: s3.Driver, server: testutil.SharedVersityGW, fresh: freshBucket, perOpen: 1, contentTags: true,
		refused: map[string]string{
			belowFile: fileSystem, longSegment: nameMax,
			directoryName: "versitygw, backend/posix/posix.go, PutObject: a key that ends in a slash is a directory, without bytes; S3 keeps them: https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html",
		},
		unlisted: map[string]string{
			controls: "versitygw, backend/posix/posix.go, ListObjectsV2Parametrized: encoding-type is not honoured, and XML 1.0 has no way to write such characters; S3 encodes them: https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html",
			nonchar:  "as control characters",
		},
	},
	{
		driver: minio.Driver, server: testutil.SharedMinIO, fresh: freshBucket, perOpen: 1, contentTags: true,
		refused: map[string]string{longSegment: nameMax},
		unlisted: map[string]string{
			belowFile: "MinIO, cmd/metacache-walk.go, WalkDir: an object hides all below it from listings",
		},
	},
	{
		driver: gcs.Driver, server: testutil.SharedFakeGCS, perOpen: 2, sweep: 1,
		fresh: func(tb testing.TB, server *testutil.Server, endpoint string) map[string]string {
			return map[string]string{"bucket": server.NewGCSBucket(tb), "endpoint": endpoint}
		},
	},
	{
		driver: azure.Driver, server: testutil.SharedAzurite, perOpen: 1,
		fresh: func(tb testing.TB, server *testutil.Server, endpoint string) map[string]string {
			return map[string]string{
				"containerName": server.NewContainer(tb), "accountName": server.AccessKey,
				"accountKey": server.SecretKey, "endpoint": endpoint + "/" + server.AccessKey,
			}
		},
	},
}

func freshBucket(tb testing.TB, server *testutil.Server, endpoint string) map[string]string {
	s := bucket(server, server.NewBucket(tb))
	s["endpoint"] = endpoint
	return s
}

// A matrixSide is one side of a pair: a fresh store, the prefix of its keys, and
// the proxy that its requests go through, nil for a directory.
type matrixSide struct {
	*matrixStore
	settings map[string]string
	prefix   string
	proxy    *testutil.Proxy
}

// side makes a fresh store. One that is of the same server as its counterpart
// shares that one's proxy, since both have one endpoint then.
func (s *matrixStore) side(tb testing.TB, counterpart *matrixSide) *matrixSide {
	side := &matrixSide{matrixStore: s}
	if s.server == nil {
		side.settings = s.fresh(tb, nil, "")
		return side
	}
	server := s.server(tb)
	if counterpart != nil && counterpart.matrixStore == s {
		side.proxy = counterpart.proxy
	} else {
		side.proxy = testutil.CountingProxy(tb, server.Endpoint)
	}
	side.settings = s.fresh(tb, server, side.proxy.URL)
	return side
}

// open opens the store anew, past whatever a pass may have in memory.
func (s *matrixSide) open(tb testing.TB) backend.Backend {
	tb.Helper()
	settings, err := s.driver.Schema().Resolve(s.settings)
	require.NoError(tb, err)
	b, err := s.driver.Open(tb.Context(), settings)
	require.NoError(tb, err)
	return b
}

// clear deletes all objects, which some servers hold in memory.
func (s *matrixSide) clear(t *testing.T) {
	b := s.open(t)
	defer b.Close()
	for _, key := range s.keys(t, b) {
		require.NoError(t, b.Delete(t.Context(), key, backend.DeleteOptions{}))
	}
}

func (s *matrixSide) keys(t *testing.T, b backend.Backend) (keys []string) {
	t.Helper()
	for page, err := range b.List(t.Context(), backend.ListOptions{}) {
		require.NoError(t, err)
		for _, o := range page {
			require.NoError(t, o.Problem)
			keys = append(keys, o.Key)
		}
	}
	return keys
}

// refusal says with which class of error the store refuses an object, nil where
// it holds it.
func (s *matrixSide) refusal(p backend.Properties, o matrixObject) error {
	if p.CheckKey(s.prefix+o.key) != nil {
		return backend.ErrInvalidKey
	}
	if begins(o.key, s.refused) {
		return backend.ErrInvalidKey
	}
	if p.MaxMetadata > 0 && o.metadata.UserSize() > p.MaxMetadata {
		return backend.ErrInvalidMetadata
	}
	return nil
}

// unlists says that the store takes a key and then cannot list it.
func (s *matrixSide) unlists(key string) bool { return begins(key, s.unlisted) }

func begins(key string, beginnings map[string]string) bool {
	for beginning := range beginnings {
		if strings.HasPrefix(key, beginning) {
			return true
		}
	}
	return false
}

// requests returns how many listings and other requests came in since the last
// reset, of those that were answered, and the others in full.
func (s *matrixSide) requests() (lists int, others []string) {
	if s.proxy == nil {
		return 0, nil
	}
	for _, line := range s.proxy.Requests() {
		fields := strings.Fields(line) // operation, method, URI, status
		if status, err := strconv.Atoi(fields[3]); err != nil || testutil.Busy(status) {
			continue // the server was busy, and was asked again
		}
		u, err := url.ParseRequestURI(fields[2])
		if err == nil && fields[1] == http.MethodGet && (u.Query().Get("comp") == "list" || // Azure
			strings.HasPrefix(u.Path, "/storage/v1/b/") && strings.HasSuffix(u.EscapedPath(), "/o") ||
			s.contentTags && fields[0] == "ListObjects") {
			lists++
			continue
		}
		others = append(others, line)
	}
	return lists, others
}
