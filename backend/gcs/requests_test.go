package gcs_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/gcs"
	"github.com/objrepl/replication/backend/internal/drivertest"
	"github.com/objrepl/replication/internal/testutil"
)

const testKey = "projects/p/locations/l/keyRings/r/cryptoKeys/k"

// A seen is a request that passed a recorder.
type seen struct {
	method, path, body string
	query              url.Values
}

// A recorder is a proxy that remembers requests.
type recorder struct {
	url string
	mu  sync.Mutex
	all []seen // guarded by mu
}

func record(tb testing.TB, server *testutil.Server) *recorder {
	target, err := url.Parse(server.Endpoint)
	require.NoError(tb, err)
	rec := &recorder{}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.Host = r.In.Host // the server names itself so in the addresses of uploads
	}}
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		rec.mu.Lock()
		rec.all = append(rec.all, seen{r.Method, r.URL.Path, string(body), r.URL.Query()})
		rec.mu.Unlock()
		proxy.ServeHTTP(w, r)
	}))
	tb.Cleanup(front.Close)
	rec.url = front.URL
	return rec
}

// take returns the requests since the last time.
func (r *recorder) take() []seen {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := r.all
	r.all = nil
	return all
}

// only returns the one request of a kind, the chunks of an upload aside.
func (r *recorder) only(tb testing.TB, method, path string) seen {
	tb.Helper()
	var found []seen
	for _, s := range r.take() {
		if s.method == method && strings.Contains(s.path, path) && !s.query.Has("upload_id") {
			found = append(found, s)
		}
	}
	require.Len(tb, found, 1, "%s of %s", method, path)
	return found[0]
}

// proxied opens a fresh bucket through a recorder.
func proxied(tb testing.TB, more ...string) (backend.Backend, *recorder) {
	server := testutil.SharedFakeGCS(tb)
	rec := record(tb, server)
	settings := backend.Settings{"bucket": server.NewGCSBucket(tb), "endpoint": rec.url}
	for i := 0; i < len(more); i += 2 {
		settings[more[i]] = more[i+1]
	}
	return drivertest.Open(tb, gcs.Driver, settings), rec
}

func put(tb testing.TB, b backend.Backend, key, data string) backend.Object {
	tb.Helper()
	o, err := b.Put(tb.Context(), key, backend.Bytes([]byte(data)), backend.PutOptions{})
	require.NoError(tb, err)
	return o
}

// The test server ignores these conditions; Google's does not.
func TestConditionsAreSent(t *testing.T) {
	b, rec := proxied(t)
	ctx := t.Context()
	copier := b.(backend.Copier)
	from, to := put(t, b, "from", "1"), put(t, b, "to", "2")
	rec.take()

	require.NoError(t, b.Delete(ctx, "to", backend.DeleteOptions{IfMatch: to.Tag}))
	query := rec.only(t, http.MethodDelete, "/o/to").query
	require.Equal(t, string(to.Tag), query.Get("ifGenerationMatch"))
	require.False(t, query.Has("generation"), "naming a version would purge it")

	_, err := copier.Copy(ctx, "from", "to", backend.CopyOptions{FromMatch: from.Tag, If: backend.Condition{Absent: true}})
	require.NoError(t, err)
	query = rec.only(t, http.MethodPost, "/rewriteTo/").query
	require.Equal(t, "0", query.Get("ifGenerationMatch"))
	require.Equal(t, string(from.Tag), query.Get("ifSourceGenerationMatch"))
	require.Equal(t, string(from.Tag), query.Get("sourceGeneration"))
	_, err = copier.Copy(ctx, "from", "to", backend.CopyOptions{If: backend.Condition{Match: to.Tag}})
	require.NoError(t, err)
	require.Equal(t, string(to.Tag), rec.only(t, http.MethodPost, "/rewriteTo/").query.Get("ifGenerationMatch"))

	for condition, want := range map[backend.Condition]string{{Absent: true}: "0", {Match: "77"}: "77"} {
		m := backend.Metadata{ContentType: "a/b", ContentEncoding: "br", ContentLanguage: "cy", ContentDisposition: "inline", CacheControl: "no-store"}
		u, err := b.(backend.PartUploader).UploadParts(ctx, "whole", backend.PartsOptions{PartSize: 10, Metadata: m})
		require.NoError(t, err)
		part, err := u.Put(ctx, 1, backend.Bytes([]byte("x")))
		require.NoError(t, err)
		rec.take()
		_, err = u.Complete(ctx, []backend.Part{part}, condition)
		require.NoError(t, err)
		compose := rec.only(t, http.MethodPost, "/o/whole/compose")
		require.Equal(t, want, compose.query.Get("ifGenerationMatch"))
		for _, header := range []string{`"contentType":"a/b"`, `"contentEncoding":"br"`, `"contentLanguage":"cy"`, `"contentDisposition":"inline"`, `"cacheControl":"no-store"`} {
			require.Contains(t, compose.body, header) // fake-gcs-server keeps those that it has
		}
		require.Contains(t, compose.body, `"generation":"`+string(part.Tag)+`"`)
		require.Contains(t, compose.body, `"objectPreconditions":{"ifGenerationMatch":"`+string(part.Tag)+`"}`)
	}
}

func TestKMSKeyIsSentWithAllThatIsWritten(t *testing.T) {
	b, rec := proxied(t, "kms_key_name", testKey)
	ctx := t.Context()
	put(t, b, "from", "1")
	require.Equal(t, testKey, rec.only(t, http.MethodPost, "/upload/").query.Get("kmsKeyName"))
	_, err := b.Put(ctx, "large", backend.Bytes(make([]byte, 9<<20)), backend.PutOptions{})
	require.NoError(t, err)
	require.Equal(t, testKey, rec.only(t, http.MethodPost, "/upload/").query.Get("kmsKeyName"))
	_, err = b.(backend.Copier).Copy(ctx, "from", "to", backend.CopyOptions{})
	require.NoError(t, err)
	require.Equal(t, testKey, rec.only(t, http.MethodPost, "/rewriteTo/").query.Get("destinationKmsKeyName"))

	u, err := b.(backend.PartUploader).UploadParts(ctx, "whole", backend.PartsOptions{PartSize: 10})
	require.NoError(t, err)
	require.Equal(t, testKey, rec.only(t, http.MethodPost, "/upload/").query.Get("kmsKeyName"))
	part, err := u.Put(ctx, 1, backend.Bytes([]byte("x")))
	require.NoError(t, err)
	require.Equal(t, testKey, rec.only(t, http.MethodPost, "/upload/").query.Get("kmsKeyName"))
	_, err = u.Complete(ctx, []backend.Part{part}, backend.Condition{})
	require.NoError(t, err)
	require.Equal(t, testKey, rec.only(t, http.MethodPost, "/compose").query.Get("kmsKeyName"))
}

func TestProjectIsBilledForEveryRequest(t *testing.T) {
	b, rec := proxied(t, "project", "payer")
	put(t, b, "key", "1")
	_, r, err := b.Open(t.Context(), "key", backend.OpenOptions{})
	require.NoError(t, err)
	require.NoError(t, r.Close())
	for _, err := range b.List(t.Context(), backend.ListOptions{}) {
		require.NoError(t, err)
	}
	requests := rec.take()
	require.Len(t, requests, 4)
	for _, r := range requests {
		require.Equal(t, "payer", r.query.Get("userProject"), "%s %s", r.method, r.path)
	}
}

func TestOperationsCostWhatIsDocumented(t *testing.T) {
	b, rec := proxied(t)
	ctx := t.Context()
	read := func(opts backend.OpenOptions) error {
		_, r, err := b.Open(ctx, "small", opts)
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, r)
		return errors.Join(err, r.Close())
	}
	for _, c := range []struct {
		name string
		call func() error
		want int
	}{
		{"put small", func() error { put(t, b, "small", "abc"); return nil }, 1},
		{"put of a full chunk", func() error { put(t, b, "chunk", strings.Repeat("x", 8<<20-1)); return nil }, 1},
		{"put large", func() error { put(t, b, "large", strings.Repeat("x", 17<<20)); return nil }, 4},
		{"stat", func() error { _, err := b.Stat(ctx, "small"); return err }, 1},
		{"open", func() error { return read(backend.OpenOptions{}) }, 2},
		{"open range", func() error { return read(backend.OpenOptions{Offset: 1, Length: 1}) }, 2},
		{"open at end", func() error { return read(backend.OpenOptions{Offset: 3}) }, 1},
		{"copy", func() error {
			_, err := b.(backend.Copier).Copy(ctx, "small", "copy", backend.CopyOptions{})
			return err
		}, 1},
		{"list", func() error {
			for _, err := range b.List(ctx, backend.ListOptions{}) {
				if err != nil {
					return err
				}
			}
			return nil
		}, 1},
		{"delete", func() error { return b.Delete(ctx, "small", backend.DeleteOptions{}) }, 1},
	} {
		rec.take()
		require.NoError(t, c.call(), c.name)
		require.Len(t, rec.take(), c.want, c.name)
	}
}

// What is not asked for does not come, and each bound is sent.
func TestListingsAskForLittle(t *testing.T) {
	b, rec := proxied(t)
	for _, err := range b.List(t.Context(), backend.ListOptions{Prefix: "a", After: "a/b", Until: "a/c"}) {
		require.NoError(t, err)
	}
	query := rec.only(t, http.MethodGet, "/o").query
	require.Equal(t, "a", query.Get("prefix"))
	require.Equal(t, "a/b", query.Get("startOffset"))
	require.Equal(t, "a/c ", query.Get("endOffset"))
	require.Equal(t, "1000", query.Get("maxResults"))
	require.NotContains(t, query.Get("fields"), "metadata,")
	require.NotContains(t, query.Get("fields"), "acl")
	for _, err := range b.List(t.Context(), backend.ListOptions{Until: strings.Repeat("l", 1024)}) {
		require.NoError(t, err)
	}
	require.Empty(t, rec.only(t, http.MethodGet, "/o").query.Get("endOffset"), "it would be longer than any key")
}
