package e2e

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication"
	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/azure"
	"github.com/objrepl/replication/backend/gcs"
	"github.com/objrepl/replication/backend/s3"
	"github.com/objrepl/replication/internal/testutil"
)

// A oneStore is a server with two buckets behind one proxy.
type oneStore struct {
	driver   backend.Driver
	proxy    *testutil.Proxy
	from, to map[string]string
	// looks: it ignores conditions on the target of a copy.
	looks bool
}

func s3Store(t *testing.T, server *testutil.Server) oneStore {
	s := oneStore{driver: s3.Driver, proxy: testutil.CountingProxy(t, server.Endpoint), looks: true}
	s.from, s.to = bucket(server, server.NewBucket(t)), bucket(server, server.NewBucket(t))
	s.from["endpoint"], s.to["endpoint"] = s.proxy.URL, s.proxy.URL
	return s
}

// oneStores are servers of every kind that can copy by itself.
var oneStores = map[string]func(t *testing.T) oneStore{
	"minio":     func(t *testing.T) oneStore { return s3Store(t, testutil.SharedMinIO(t)) },
	"versitygw": func(t *testing.T) oneStore { return s3Store(t, testutil.SharedVersityGW(t)) },
	"gcs": func(t *testing.T) oneStore {
		server := testutil.SharedFakeGCS(t)
		s := oneStore{driver: gcs.Driver, proxy: testutil.CountingProxy(t, server.Endpoint), looks: true}
		s.from, s.to = gcsBucket(t, server), gcsBucket(t, server)
		s.from["endpoint"], s.to["endpoint"] = s.proxy.URL, s.proxy.URL
		return s
	},
	"azure": func(t *testing.T) oneStore {
		first, proxy := azureContainer(t)
		second := maps.Clone(first)
		second["containerName"] = testutil.SharedAzurite(t).NewContainer(t)
		return oneStore{driver: azure.Driver, proxy: proxy, from: first, to: second}
	},
}

func (s oneStore) open(t *testing.T, settings map[string]string) backend.Backend {
	b, err := s.driver.Open(t.Context(), settings)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.Close()) })
	return b
}

// traffic is what passed a proxy: requests by kind but for those that a busy server
// failed, which are asked again, and the bytes of all bodies but those of listings.
type traffic struct {
	mu     sync.Mutex
	counts map[string]int // guarded by mu
	bytes  int64          // guarded by mu
}

// kindOf names a request to any of the stores.
func kindOf(op string, r *http.Request) string {
	switch {
	case op == "ListObjects", r.URL.Query().Get("comp") == "list", strings.HasSuffix(r.URL.Path, "/o") && r.Method == http.MethodGet:
		return "list"
	case op == "UploadPartCopy":
		return "copy part"
	case strings.Contains(r.URL.Path, "/rewriteTo/"), r.Header.Get("X-Amz-Copy-Source") != "", r.Header.Get("X-Ms-Copy-Source") != "":
		return "copy"
	case strings.HasPrefix(r.URL.Path, "/storage/v1/b/") && r.Method == http.MethodGet && r.URL.Query().Get("alt") != "media":
		return "head" // as the JSON API has it
	}
	return strings.ToLower(r.Method)
}

func (c *traffic) watch(p *testutil.Proxy) {
	c.take()
	p.Intercept(func(op string, w http.ResponseWriter, r *http.Request, next http.Handler) {
		kind := kindOf(op, r)
		n := func(n int) { c.add("", int64(n)) }
		if kind == "list" {
			n = func(int) {}
		}
		r.Body = &countedBody{r.Body, n}
		next.ServeHTTP(&countedAnswer{w, kind, c, n}, r)
	})
}

// add counts a request, unless kind is empty, and bytes.
func (c *traffic) add(kind string, bytes int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.bytes += bytes; kind != "" {
		c.counts[kind]++
	}
}

func (c *traffic) take() (map[string]int, int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	counts, n := c.counts, c.bytes
	c.counts, c.bytes = map[string]int{}, 0
	return counts, n
}

type countedBody struct {
	io.ReadCloser
	add func(n int)
}

func (c *countedBody) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	c.add(n)
	return n, err
}

// A countedAnswer counts its request before the client has the answer.
type countedAnswer struct {
	http.ResponseWriter
	kind    string
	traffic *traffic
	add     func(n int)
}

func (c *countedAnswer) WriteHeader(status int) {
	if status >= http.StatusOK && !testutil.Busy(status) {
		c.traffic.add(c.kind, 0)
	}
	c.ResponseWriter.WriteHeader(status)
}

func (c *countedAnswer) Write(p []byte) (int, error) {
	c.add(len(p))
	return c.ResponseWriter.Write(p)
}

func (c *countedAnswer) Unwrap() http.ResponseWriter { return c.ResponseWriter }

// Between two buckets and between two prefixes of one bucket it is one request an
// object, without a GET, a HEAD or a byte of payload; an unchanged pass lists; and
// what goes at the source goes at the destination.
func TestOneServiceCopiesByItself(t *testing.T) {
	const n, size = 100, 8 << 10
	for name, open := range oneStores {
		for _, layout := range []string{"two buckets", "two prefixes"} {
			t.Run(name+" "+layout, func(t *testing.T) {
				store := open(t)
				policy := replication.Policy{
					ID: "within", SourceBackend: store.driver.Name(), SourceSettings: store.from, SourcePrefix: "from/",
					DestinationBackend: store.driver.Name(), DestinationSettings: store.to, DestinationPrefix: "to/", MaxDelete: "off",
				}
				if layout == "two prefixes" {
					policy.DestinationSettings = store.from
				}
				r := replicator(t, replication.WithDrivers(gcs.Driver, azure.Driver), replication.WithConcurrency(8))
				source := store.open(t, policy.SourceSettings)
				random := rand.NewChaCha8([32]byte{1})
				want := map[string][]byte{}
				put := func(key string) {
					want[key] = make([]byte, size)
					_, _ = random.Read(want[key])
					_, err := source.Put(t.Context(), "from/"+key, backend.Bytes(want[key]), backend.PutOptions{
						Metadata: backend.Metadata{ContentType: "text/x-test", User: map[string]string{"name": "value"}}})
					require.NoError(t, err)
				}
				put("first") // whose pass asks the server what it honours
				_, err := r.Sync(t.Context(), policy)
				require.NoError(t, err)
				for i := range n {
					put(fmt.Sprintf("dir %d/ö&%d", i%3, i))
				}
				plan, err := r.PlanOf(t.Context(), policy)
				require.NoError(t, err)
				var passed traffic
				passed.watch(store.proxy)
				res, err := r.Sync(t.Context(), policy)
				require.NoError(t, err)
				require.EqualValues(t, n, res.Synced)
				require.EqualValues(t, n*size, res.BytesTotal)
				require.EqualValues(t, n*size, res.BytesInStore)
				counts, bytes := passed.take()
				t.Logf("%d objects of %d bytes: %v, %d bytes in bodies but those of listings", n, size, counts, bytes)
				require.Equal(t, map[string]int{"copy": n, "list": counts["list"]}, counts)
				require.EqualValues(t, n, plan.Requests.Most.Destination.Put)
				require.Equal(t, replication.Requests{List: plan.Requests.Most.Source.List}, plan.Requests.Most.Source)
				require.Less(t, bytes, int64(n*2048), "headers' worth of answers, and no payload")

				_, err = r.Sync(t.Context(), policy)
				require.NoError(t, err)
				counts, _ = passed.take()
				require.Equal(t, map[string]int{"list": counts["list"]}, counts)

				// One changes, one goes.
				put("first")
				require.NoError(t, source.Delete(t.Context(), "from/dir 0/ö&0", backend.DeleteOptions{}))
				delete(want, "dir 0/ö&0")
				passed.take()
				res, err = r.Sync(t.Context(), policy)
				require.NoError(t, err)
				require.EqualValues(t, 1, res.Synced)
				require.EqualValues(t, 1, res.Deleted)
				counts, _ = passed.take()
				require.Equal(t, 1, counts["copy"])
				require.Zero(t, counts["get"], "%v", counts)
				store.proxy.Intercept(nil)
				requireObjects(t, store.open(t, policy.DestinationSettings), "to/", want)
			})
		}
	}
}

// requireObjects wants a store to hold these objects under a prefix, with the
// metadata that they came with.
func requireObjects(t *testing.T, b backend.Backend, prefix string, want map[string][]byte) {
	t.Helper()
	got := 0
	for page, err := range b.List(t.Context(), backend.ListOptions{Prefix: prefix}) {
		require.NoError(t, err)
		for _, o := range page {
			got++
			there, body, err := b.Open(t.Context(), o.Key, backend.OpenOptions{})
			require.NoError(t, err)
			data, err := io.ReadAll(body)
			require.NoError(t, err)
			require.NoError(t, body.Close())
			require.True(t, bytes.Equal(want[strings.TrimPrefix(o.Key, prefix)], data), o.Key)
			require.Equal(t, "text/x-test", there.Metadata.ContentType)
			require.Equal(t, "value", there.Metadata.User["name"])
		}
	}
	require.Equal(t, len(want), got)
}

// A large object is copied in parts by the store itself, where only their
// completion is held to a condition, and the parts' sum is right.
func TestAStoreCopiesTheParts(t *testing.T) {
	for _, name := range []string{"minio", "versitygw"} {
		t.Run(name, func(t *testing.T) {
			store := oneStores[name](t)
			source := store.open(t, store.from)
			data := make([]byte, 170<<20)
			_, _ = rand.NewChaCha8([32]byte{2}).Read(data)
			_, err := source.Put(t.Context(), "large", backend.Bytes(data), backend.PutOptions{
				Metadata: backend.Metadata{ContentType: "text/x-test", User: map[string]string{"name": "value"}}})
			require.NoError(t, err)
			r := replicator(t, replication.WithPartThreshold(8<<20), replication.WithPartSize(5<<20))
			policy := replication.Policy{
				ID: "large", SourceBackend: "s3", SourceSettings: store.from, DestinationBackend: "s3", DestinationSettings: store.to, MaxDelete: "off",
			}
			var passed traffic
			passed.watch(store.proxy)
			res, err := r.Sync(t.Context(), policy)
			require.NoError(t, err)
			require.EqualValues(t, len(data), res.BytesInStore)
			counts, bytes := passed.take()
			t.Logf("%d bytes: %v, %d bytes in bodies", len(data), counts, bytes)
			require.Equal(t, 3, counts["copy part"], "of 80 MiB")
			require.Zero(t, counts["get"])
			require.Less(t, bytes, int64(64<<10))
			store.proxy.Intercept(nil)
			requireObjects(t, store.open(t, store.to), "", map[string][]byte{"large": data})

			require.NoError(t, source.Delete(t.Context(), "large", backend.DeleteOptions{}))
			res, err = r.Sync(t.Context(), policy, replication.ForceDeletes())
			require.NoError(t, err)
			require.EqualValues(t, 1, res.Deleted)
		})
	}
}

// A process that is killed amid its copies leaves a ledger without them. The next
// one knows them for its own all the same: it copies none again, and deletes what
// has gone at the source since.
func TestCopiesOfAKilledProcessAreKnown(t *testing.T) {
	const n = 400
	binary := testutil.CLI(t)
	for _, name := range []string{"minio", "versitygw"} {
		t.Run(name, func(t *testing.T) {
			store := oneStores[name](t)
			source, destination := store.open(t, store.from), store.open(t, store.to)
			want := map[string][]byte{}
			for i := range n {
				key := fmt.Sprintf("k%03d", i)
				want[key] = []byte(key)
				_, err := source.Put(t.Context(), key, backend.Bytes(want[key]), backend.PutOptions{
					Metadata: backend.Metadata{ContentType: "text/x-test", User: map[string]string{"name": "value"}}})
				require.NoError(t, err)
			}
			state := filepath.Join(t.TempDir(), "state")
			place := func(s map[string]string) string {
				return fmt.Sprintf("s3://%s?endpoint=%s&region=us-east-1&accessKey=env:KILL_KEY&secretKey=env:KILL_SECRET", s["bucket"], url.QueryEscape(store.proxy.URL))
			}
			start := func(ctx context.Context) (*exec.Cmd, *strings.Builder) {
				cmd := exec.CommandContext(ctx, binary, "--state-dir", state, "sync", "--force-deletes", place(store.from), place(store.to))
				cmd.Env = append(os.Environ(), "KILL_KEY="+store.from["accessKey"], "KILL_SECRET="+store.from["secretKey"])
				out := new(strings.Builder)
				cmd.Stdout, cmd.Stderr = out, out
				require.NoError(t, cmd.Start())
				return cmd, out
			}
			ctx, kill := context.WithCancel(t.Context())
			defer kill()
			var copies atomic.Int64
			store.proxy.Intercept(func(op string, w http.ResponseWriter, r *http.Request, next http.Handler) {
				next.ServeHTTP(w, r)
				if op == "CopyObject" && !strings.Contains(r.URL.Path, probeName) && copies.Add(1) == n/2 {
					kill()
				}
			})
			cmd, out := start(ctx)
			require.Error(t, cmd.Wait(), out.String())
			require.GreaterOrEqual(t, copies.Load(), int64(n/2))

			var there []string
			for page, err := range destination.List(t.Context(), backend.ListOptions{}) {
				require.NoError(t, err)
				for _, o := range page {
					there = append(there, o.Key)
				}
			}
			for _, key := range there[:50] {
				require.NoError(t, source.Delete(t.Context(), key, backend.DeleteOptions{}))
				delete(want, key)
			}
			var passed traffic
			passed.watch(store.proxy)
			cmd, out = start(t.Context())
			require.NoError(t, cmd.Wait(), out.String())
			counts, _ := passed.take()
			t.Logf("%d of %d were copied by the killed process, 50 of them gone since: %v", len(there), n, counts)
			require.LessOrEqual(t, counts["copy"], n-len(there))
			require.Greater(t, counts["copy"], n-len(there)-64, "those that were under way may have come later")
			require.Zero(t, counts["get"])
			store.proxy.Intercept(nil)
			requireObjects(t, destination, "", want)
			left, err := filepath.Glob(filepath.Join(state, "policies", "*", "copies", "*"))
			require.NoError(t, err)
			require.Empty(t, left)
		})
	}
}

// Credentials that may write the destination but not read the source by way of the
// store: objects go through the client, and the store is asked once or so.
func TestACopyThatIsForbiddenReadsThroughTheClient(t *testing.T) {
	const n = 100
	store := oneStores["minio"](t)
	source := store.open(t, store.from)
	want := map[string][]byte{}
	for i := range n {
		key := fmt.Sprintf("k%03d", i)
		want[key] = []byte(key)
		_, err := source.Put(t.Context(), key, backend.Bytes(want[key]), backend.PutOptions{
			Metadata: backend.Metadata{ContentType: "text/x-test", User: map[string]string{"name": "value"}}})
		require.NoError(t, err)
	}
	limited := maps.Clone(store.to)
	server := testutil.SharedMinIO(t)
	role, err := credentials.NewSTSAssumeRole(server.Endpoint, credentials.STSAssumeRoleOptions{
		AccessKey: server.AccessKey, SecretKey: server.SecretKey, Location: "us-east-1",
		Policy: fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["s3:*"],"Resource":["arn:aws:s3:::%[1]s","arn:aws:s3:::%[1]s/*"]}]}`, store.to["bucket"]),
	})
	require.NoError(t, err)
	keys, err := role.GetWithContext(&credentials.CredContext{Client: http.DefaultClient})
	require.NoError(t, err)
	limited["accessKey"], limited["secretKey"], limited["sessionToken"] = keys.AccessKeyID, keys.SecretAccessKey, keys.SessionToken
	r := replicator(t, replication.WithConcurrency(4))
	var passed traffic
	passed.watch(store.proxy)
	res, err := r.Sync(t.Context(), replication.Policy{
		ID: "limited", SourceBackend: "s3", SourceSettings: store.from, DestinationBackend: "s3", DestinationSettings: limited,
	})
	require.NoError(t, err)
	require.EqualValues(t, n, res.Synced)
	require.Zero(t, res.BytesInStore)
	counts, _ := passed.take()
	t.Logf("%v", counts)
	require.Equal(t, n, counts["get"])
	require.LessOrEqual(t, counts["copy"], 5+4, "those of the probe, and of the workers that were under way")
	store.proxy.Intercept(nil)
	requireObjects(t, store.open(t, store.to), "", want)
}
