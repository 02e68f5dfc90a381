package s3test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/internal/drivertest"
	"github.com/objrepl/replication/internal/testutil"
)

// CountsRequests checks what each operation costs.
func CountsRequests(t *testing.T, driver backend.Driver, server *testutil.Server) {
	proxy := testutil.CountingProxy(t, server.Endpoint)
	b := drivertest.Open(t, driver, drivertest.With(Settings(server, server.NewBucket(t)), "endpoint", proxy.URL))
	ctx := t.Context()
	large := bytes.Repeat([]byte("0123456789abcdef"), 200_000)
	read := func(key string, opts backend.OpenOptions) error {
		_, r, err := b.Open(ctx, key, opts)
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, r)
		return errors.Join(err, r.Close())
	}
	put := func(key string, data []byte) func() error {
		return func() error {
			_, err := b.Put(ctx, key, backend.Bytes(data), backend.PutOptions{})
			return err
		}
	}
	for _, c := range []struct {
		name string
		call func() error
		want map[string]int
	}{
		{"put small", put("small", []byte("abc")), map[string]int{"PutObject": 1}},
		{"put large", put("large", large), map[string]int{"PutObject": 1}},
		{"stat", func() error { _, err := b.Stat(ctx, "small"); return err }, map[string]int{"HeadObject": 1}},
		{"open", func() error { return read("large", backend.OpenOptions{}) }, map[string]int{"GetObject": 1}},
		{"open range", func() error { return read("large", backend.OpenOptions{Offset: 5, Length: 5}) }, map[string]int{"GetObject": 1}},
		{"open at end", func() error { return read("small", backend.OpenOptions{Offset: 3}) }, map[string]int{"GetObject": 1, "HeadObject": 1}},
		{"list", func() error {
			for _, err := range b.List(ctx, backend.ListOptions{}) {
				if err != nil {
					return err
				}
			}
			return nil
		}, map[string]int{"ListObjects": 1}},
		{"delete", func() error { return b.Delete(ctx, "small", backend.DeleteOptions{}) }, map[string]int{"DeleteObject": 1}},
	} {
		proxy.Reset()
		require.NoError(t, c.call(), c.name)
		require.Equal(t, c.want, proxy.Counts(), c.name)
	}
}

// SendsOnce checks that failures are not retried, and what they become.
func SendsOnce(t *testing.T, driver backend.Driver) {
	var (
		requests atomic.Int32
		status   atomic.Int32
	)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		requests.Add(1)
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(int(status.Load()))
		if status.Load() == http.StatusServiceUnavailable {
			_, _ = io.WriteString(w, "<Error><Code>SlowDown</Code><Message>Please reduce</Message></Error>")
		}
	}))
	defer server.Close()
	b := drivertest.Open(t, driver, fake(server.URL))
	for code, class := range map[int]error{500: backend.ErrUnavailable, 502: backend.ErrUnavailable, 503: backend.ErrThrottled, 429: backend.ErrThrottled} {
		status.Store(int32(code))
		requests.Store(0)
		_, err := b.Put(t.Context(), "key", backend.Bytes([]byte("x")), backend.PutOptions{})
		require.ErrorIs(t, err, class, code)
		require.EqualValues(t, 1, requests.Load(), code)
		var carrier *backend.Error
		require.ErrorAs(t, err, &carrier)
		require.Equal(t, 7*time.Second, carrier.RetryAfter)
	}
}

// TellsBucketFromObject checks 404s without a word in them, and those of a
// server that is no store at all.
func TellsBucketFromObject(t *testing.T, driver backend.Driver) {
	bucket := http.StatusOK
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Count(strings.Trim(r.URL.Path, "/"), "/") == 0 {
			w.WriteHeader(bucket)
			return
		}
		http.Error(w, "<html>not here</html>", http.StatusNotFound)
	}))
	defer server.Close()
	b := drivertest.Open(t, driver, fake(server.URL))
	stat := func() error { _, err := b.Stat(t.Context(), "key"); return err }
	open := func() error { _, _, err := b.Open(t.Context(), "key", backend.OpenOptions{}); return err }

	require.ErrorIs(t, stat(), fs.ErrNotExist)
	require.ErrorIs(t, open(), fs.ErrNotExist)
	for status, class := range map[int]error{404: backend.ErrStoreNotFound, 403: fs.ErrPermission, 503: backend.ErrUnavailable} {
		bucket = status
		for name, call := range map[string]func() error{"stat": stat, "open": open} {
			err := call()
			require.ErrorIs(t, err, class, name)
			require.NotErrorIs(t, err, fs.ErrNotExist, name)
		}
	}
}

// RefusesFalseListings checks that no answer but a listing is taken for one.
func RefusesFalseListings(t *testing.T, driver backend.Driver) {
	var answer atomic.Value
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, answer.Load().(string))
	}))
	defer server.Close()
	b := drivertest.Open(t, driver, fake(server.URL))
	list := func() (n int, err error) {
		for page, err := range b.List(t.Context(), backend.ListOptions{}) {
			if err != nil {
				return n, err
			}
			n += len(page)
		}
		return n, nil
	}
	entry := func(key string) string {
		return "<Contents><Key>" + key + "</Key><Size>1</Size><ETag>x</ETag></Contents>"
	}
	for _, wrong := range []string{
		"",
		"<html><body>sign in</body></html>",
		"<Error><Code>InternalError</Code></Error>",
		"<ListBucketResult></ListBucketResult>",
		"<ListBucketResult><IsTruncated>false</IsTruncated>",
		"<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>",
		"<ListBucketResult><IsTruncated>false</IsTruncated>" + entry("b") + entry("a") + "</ListBucketResult>",
		"<ListBucketResult><IsTruncated>false</IsTruncated>" + entry("a") + entry("a") + "</ListBucketResult>",
	} {
		answer.Store(wrong)
		_, err := list()
		require.Error(t, err, wrong)
		require.NotErrorIs(t, err, fs.ErrNotExist, wrong)
	}
	answer.Store("<ListBucketResult><IsTruncated>false</IsTruncated>" + entry("a") + entry("b") + "</ListBucketResult>")
	n, err := list()
	require.NoError(t, err)
	require.Equal(t, 2, n)
}

// KeepsSecrets checks that no error and no way to print a backend shows one.
func KeepsSecrets(t *testing.T, driver backend.Driver) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, "<Error><Code>SignatureDoesNotMatch</Code><Message>no</Message></Error>")
	}))
	defer server.Close()
	for _, endpoint := range []string{server.URL, "http://" + drivertest.ClosedPort(t)} {
		b := drivertest.Open(t, driver, fake(endpoint))
		var shown strings.Builder
		for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
			fmt.Fprintf(&shown, format, b)
		}
		for op, err := range everyError(t.Context(), b) {
			require.Error(t, err, op)
			for _, format := range []string{"%v", "%+v", "%#v"} {
				fmt.Fprintf(&shown, format, err)
			}
		}
		for _, secret := range []string{fakeSecret, "X-Amz-Signature", "Signature="} {
			require.NotContains(t, shown.String(), secret)
		}
	}
}

func everyError(ctx context.Context, b backend.Backend) map[string]error {
	out := map[string]error{}
	_, out["stat"] = b.Stat(ctx, "key")
	_, _, out["open"] = b.Open(ctx, "key", backend.OpenOptions{})
	_, out["put"] = b.Put(ctx, "key", backend.Bytes([]byte("x")), backend.PutOptions{})
	out["delete"] = b.Delete(ctx, "key", backend.DeleteOptions{})
	for _, err := range b.List(ctx, backend.ListOptions{}) {
		out["list"] = err
	}
	return out
}

const fakeSecret = "verySecretIndeed"

func fake(endpoint string) backend.Settings {
	return backend.Settings{"bucket": "bucket", "endpoint": endpoint, "accessKey": "shown", "secretKey": fakeSecret}
}

// ReportsBrokenBodies checks what becomes of a body that ends early or was
// damaged on its way.
func ReportsBrokenBodies(t *testing.T, driver backend.Driver) {
	damaged := false
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("ETag", `"tag"`)
		w.Header().Set("Expires", "0") // no date, as some programs write it
		if damaged {
			w.Header().Set("X-Amz-Checksum-Crc32c", "AAAAAA==")
			_, _ = io.WriteString(w, "something else")
			return
		}
		w.Header().Set("Content-Length", "1000")
		_, _ = io.WriteString(w, "the beginning")
	}))
	defer server.Close()
	b := drivertest.Open(t, driver, fake(server.URL))
	read := func() error {
		_, r, err := b.Open(t.Context(), "key", backend.OpenOptions{})
		require.NoError(t, err)
		defer r.Close()
		_, err = io.ReadAll(r)
		return err
	}
	err := read()
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.True(t, backend.Retryable(err))
	damaged = true
	require.ErrorIs(t, read(), backend.ErrChecksum)
}
