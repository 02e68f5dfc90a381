package e2e

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication"
	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/azure"
	"github.com/objrepl/replication/internal/testutil"
)

// azureRequests counts requests as "DELETE" or "POST batch". A batch is asked of
// instead first, if that is not nil.
type azureRequests struct {
	mu     sync.Mutex
	counts map[string]int // guarded by mu
}

func countAzure(proxy *testutil.Proxy, batch func(n int, w http.ResponseWriter, r *http.Request, next http.Handler)) *azureRequests {
	c := &azureRequests{counts: map[string]int{}}
	proxy.Intercept(func(_ string, w http.ResponseWriter, r *http.Request, next http.Handler) {
		kind := strings.TrimSpace(r.Method + " " + r.URL.Query().Get("comp"))
		c.mu.Lock()
		c.counts[kind]++
		n := c.counts[kind]
		c.mu.Unlock()
		if kind == "POST batch" && batch != nil {
			batch(n, w, r, next)
			return
		}
		next.ServeHTTP(w, r)
	})
	return c
}

func (c *azureRequests) made() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.counts)
}

// onAzure has n small files replicated, and all but one of them removed after.
func onAzure(t *testing.T, n int) (*replication.Replicator, replication.Policy, *testutil.Proxy) {
	store, proxy := azureContainer(t)
	source := files(t, n+1)
	r := replicator(t, replication.WithDrivers(azure.Driver), replication.WithConcurrency(32))
	policy := upload("azblob", source, store)
	policy.MaxDelete = "off"
	_, err := r.Sync(t.Context(), policy)
	require.NoError(t, err)
	for i := 1; i <= n; i++ {
		require.NoError(t, os.Remove(filepath.Join(source, fmt.Sprintf("%04d.txt", i))))
	}
	return r, policy, proxy
}

func azureKeys(t *testing.T, policy replication.Policy) (keys []string) {
	b, err := azure.Driver.Open(t.Context(), backend.Settings(policy.DestinationSettings))
	require.NoError(t, err)
	defer b.Close()
	for page, err := range b.List(t.Context(), backend.ListOptions{}) {
		require.NoError(t, err)
		for _, o := range page {
			keys = append(keys, o.Key)
		}
	}
	return keys
}

// docs/DESIGN.md and docs/BENCHMARKS.md quote it.
func TestAThousandDeletionsOnAzure(t *testing.T) {
	const n = 1000
	r, policy, proxy := onAzure(t, n)
	plan, err := r.PlanOf(t.Context(), policy)
	require.NoError(t, err)
	count := countAzure(proxy, nil)
	res, err := r.Sync(t.Context(), policy)
	require.NoError(t, err)
	require.EqualValues(t, n, res.Deleted)
	made := count.made()
	t.Logf("deleted %d with %v in %v", n, made, res.Duration.Round(time.Millisecond))
	require.Equal(t, map[string]int{"GET list": 1, "POST batch": (n + 255) / 256}, made)
	for _, foretold := range []replication.Requests{plan.Requests.Least.Destination, plan.Requests.Most.Destination} {
		require.Equal(t, replication.Requests{List: 1, Delete: 4}, foretold)
	}
	require.Equal(t, []string{"0000.txt"}, azureKeys(t, policy))
}

// From container to container the source is asked key by key, since a listing
// in Azure cannot start at one.
func TestManyDeletionsFromContainerToContainer(t *testing.T) {
	const n = 300
	from, sourceProxy := azureContainer(t)
	to, proxy := azureContainer(t)
	local := files(t, n+1)
	r := replicator(t, replication.WithDrivers(azure.Driver), replication.WithConcurrency(32))
	fill := upload("azblob", local, from)
	fill.ID, fill.MaxDelete = "fill", "off"
	policy := replication.Policy{
		ID: "p", SourceBackend: "azblob", SourceSettings: from, DestinationBackend: "azblob", DestinationSettings: to, MaxDelete: "off",
	}
	for _, p := range []replication.Policy{fill, policy} {
		_, err := r.Sync(t.Context(), p)
		require.NoError(t, err)
	}
	for i := 1; i <= n; i++ {
		require.NoError(t, os.Remove(filepath.Join(local, fmt.Sprintf("%04d.txt", i))))
	}
	_, err := r.Sync(t.Context(), fill)
	require.NoError(t, err)
	plan, err := r.PlanOf(t.Context(), policy)
	require.NoError(t, err)
	source, destination := countAzure(sourceProxy, nil), countAzure(proxy, nil)
	res, err := r.Sync(t.Context(), policy)
	require.NoError(t, err)
	require.EqualValues(t, n, res.Deleted)
	require.Equal(t, map[string]int{"GET list": 1, "POST batch": 2}, destination.made())
	require.Equal(t, n, source.made()["HEAD"])
	require.Equal(t, replication.Requests{List: 1, Delete: 2}, plan.Requests.Most.Destination)
	require.EqualValues(t, n, plan.Requests.Most.Source.Head)
}

// What somebody else wrote between the listing and the deletion stays, among
// many that go.
func TestAChangedObjectAmongManyIsNotDeletedOnAzure(t *testing.T) {
	const n = 300
	r, policy, proxy := onAzure(t, n)
	direct := maps.Clone(policy.DestinationSettings)
	b, err := azure.Driver.Open(t.Context(), backend.Settings(direct))
	require.NoError(t, err)
	defer b.Close()
	changed := "0123.txt"
	count := countAzure(proxy, func(i int, w http.ResponseWriter, r *http.Request, next http.Handler) {
		if i == 1 {
			_, err := b.Put(r.Context(), changed, backend.Bytes([]byte("somebody else's")), backend.PutOptions{})
			require.NoError(t, err)
		}
		next.ServeHTTP(w, r)
	})
	res, err := r.Sync(t.Context(), policy)
	require.ErrorIs(t, err, replication.ErrDrift)
	require.EqualValues(t, n-1, res.Deleted)
	require.EqualValues(t, 1, res.Failed)
	require.Equal(t, 2, count.made()["POST batch"])
	require.Equal(t, 1, count.made()["DELETE"], "it is asked for once more by itself")
	require.Equal(t, []string{"0000.txt", changed}, azureKeys(t, policy))
	_, body, err := b.Open(t.Context(), changed, backend.OpenOptions{})
	require.NoError(t, err)
	defer body.Close()
	data, err := io.ReadAll(body)
	require.NoError(t, err)
	require.Equal(t, "somebody else's", string(data))
}

// accepted is the answer to a deletion that was made.
var accepted = regexp.MustCompile(`HTTP/1\.1 202 Accepted`)

// However the answer to a batch comes to harm, what is deleted is counted as
// deleted, and nothing else.
func TestManyDeletionsOnAzureThroughDamagedAnswers(t *testing.T) {
	const n = 300
	const refused = "HTTP/1.1 412 Not met\r\nx-ms-error-code: ConditionNotMet"
	for name, c := range map[string]struct {
		batch  func(i int, w http.ResponseWriter, r *http.Request, next http.Handler)
		single bool // whether objects are deleted one by one then
	}{
		"lost after it was applied": {func(i int, w http.ResponseWriter, r *http.Request, next http.Handler) {
			if i == 1 {
				next.ServeHTTP(&silent{header: http.Header{}}, r)
				panic(http.ErrAbortHandler)
			}
			next.ServeHTTP(w, r)
		}, true},
		"lost before": {func(i int, w http.ResponseWriter, r *http.Request, next http.Handler) {
			if i == 1 {
				panic(http.ErrAbortHandler)
			}
			next.ServeHTTP(w, r)
		}, false},
		"cut": {func(i int, w http.ResponseWriter, r *http.Request, next http.Handler) {
			passed(w, r, next, func(answer []byte) []byte {
				if i == 1 {
					return answer[:len(answer)/2]
				}
				return answer
			})
		}, true},
		"busy": {func(i int, w http.ResponseWriter, r *http.Request, next http.Handler) {
			if i == 1 {
				w.Header().Set("X-Ms-Error-Code", "ServerBusy")
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			next.ServeHTTP(w, r)
		}, false},
		// Reported of accounts with versioning:
		// https://github.com/Azure/azure-sdk-for-net/issues/23319
		"every condition refused": {func(_ int, w http.ResponseWriter, r *http.Request, next http.Handler) {
			passed(w, r, unapplied(next), func(answer []byte) []byte { return accepted.ReplaceAll(answer, []byte(refused)) })
		}, true},
		"every condition refused and applied": {func(_ int, w http.ResponseWriter, r *http.Request, next http.Handler) {
			passed(w, r, next, func(answer []byte) []byte { return accepted.ReplaceAll(answer, []byte(refused)) })
		}, true},
		"no places": {func(_ int, w http.ResponseWriter, r *http.Request, next http.Handler) {
			passed(w, r, next, func(answer []byte) []byte { return bytes.ReplaceAll(answer, []byte("Content-ID"), []byte("Nothing")) })
		}, true},
		"no batches": {func(_ int, w http.ResponseWriter, _ *http.Request, _ http.Handler) {
			w.WriteHeader(http.StatusMethodNotAllowed)
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			r, policy, proxy := onAzure(t, n)
			count := countAzure(proxy, c.batch)
			res, err := r.Sync(t.Context(), policy)
			require.NoError(t, err)
			made := count.made()
			t.Log(made)
			require.EqualValues(t, n, res.Deleted)
			require.Zero(t, res.Failed)
			require.Equal(t, c.single, made["DELETE"] > 0)
			require.Equal(t, []string{"0000.txt"}, azureKeys(t, policy))
			proxy.Intercept(nil)
			res, err = r.Sync(t.Context(), policy)
			require.NoError(t, err)
			require.Zero(t, res.Synced+res.Deleted+res.Failed)
		})
	}
}

// passed has a request answered, and its answer changed.
func passed(w http.ResponseWriter, r *http.Request, next http.Handler, change func([]byte) []byte) {
	recorder := httptest.NewRecorder()
	next.ServeHTTP(recorder, r)
	maps.Copy(w.Header(), recorder.Header())
	w.Header().Del("Content-Length")
	w.WriteHeader(recorder.Code)
	_, _ = w.Write(change(recorder.Body.Bytes()))
}

// unapplied answers a batch as if it had been applied, which it was not: every
// deletion is of a version that there is not.
func unapplied(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		data, _ := io.ReadAll(r.Body)
		boundary := regexp.MustCompile(`boundary=(\S+)`).FindStringSubmatch(r.Header.Get("Content-Type"))[1]
		w.Header().Set("Content-Type", "multipart/mixed; boundary="+boundary)
		w.WriteHeader(http.StatusAccepted)
		for i := range bytes.Count(data, []byte("DELETE /")) {
			fmt.Fprintf(w, "--%s\r\nContent-Type: application/http\r\nContent-ID: %d\r\n\r\nHTTP/1.1 202 Accepted\r\n\r\n", boundary, i)
		}
		fmt.Fprintf(w, "--%s--\r\n", boundary)
	})
}
