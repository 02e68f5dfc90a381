package gcs_test

import (
	"context"
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
	"github.com/objrepl/replication/backend/gcs"
	"github.com/objrepl/replication/backend/internal/drivertest"
)

// answering opens a store whose every answer is the handler's.
func answering(tb testing.TB, h http.HandlerFunc, more ...string) backend.Backend {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		h(w, r)
	}))
	tb.Cleanup(server.Close)
	settings := backend.Settings{"bucket": "bucket", "endpoint": server.URL}
	for i := 0; i < len(more); i += 2 {
		settings[more[i]] = more[i+1]
	}
	return drivertest.Open(tb, gcs.Driver, settings)
}

func get(tb testing.TB, url string) string {
	tb.Helper()
	res, err := http.Get(url)
	require.NoError(tb, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	require.NoError(tb, err)
	http.DefaultClient.CloseIdleConnections()
	return string(body)
}

// refuse answers like the JSON API.
func refuse(w http.ResponseWriter, status int, reason, message string) {
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"error": {"code": %d, "message": %q, "errors": [{"message": %q, "domain": "global", "reason": %q}]}}`, status, message, message, reason)
}

// everyError calls every operation.
func everyError(ctx context.Context, b backend.Backend) map[string]error {
	out := map[string]error{}
	_, out["stat"] = b.Stat(ctx, "key")
	_, _, out["open"] = b.Open(ctx, "key", backend.OpenOptions{})
	_, out["put"] = b.Put(ctx, "key", backend.Bytes([]byte("x")), backend.PutOptions{})
	_, out["put large"] = b.Put(ctx, "key", backend.Bytes(make([]byte, 9<<20)), backend.PutOptions{})
	out["delete"] = b.Delete(ctx, "key", backend.DeleteOptions{})
	_, out["copy"] = b.(backend.Copier).Copy(ctx, "key", "other", backend.CopyOptions{})
	_, out["upload"] = b.(backend.PartUploader).UploadParts(ctx, "key", backend.PartsOptions{PartSize: 10})
	_, out["list uploads"] = b.(backend.UploadLister).ListUploads(ctx, "key")
	for _, err := range b.List(ctx, backend.ListOptions{}) {
		out["list"] = err
	}
	return out
}

func TestFailuresAreSentOnceAndClassed(t *testing.T) {
	var requests, status atomic.Int32
	var reason, message atomic.Value
	b := answering(t, func(w http.ResponseWriter, _ *http.Request) {
		requests.Add(1)
		w.Header().Set("Retry-After", "7")
		refuse(w, int(status.Load()), reason.Load().(string), message.Load().(string))
	})
	for _, c := range []struct {
		status          int
		reason, message string
		class           error
		hint            string
	}{
		{401, "authError", "Invalid Credentials", fs.ErrPermission, "credentialsFile"},
		{403, "forbidden", "x does not have storage.objects.get access", fs.ErrPermission, "permission"},
		{403, "forbidden", "Permission denied on Cloud KMS key", fs.ErrPermission, "kms_key_name"},
		{403, "retentionPolicyNotMet", "Object is subject to retention policy", fs.ErrPermission, "retention"},
		{403, "rateLimitExceeded", "slower", backend.ErrThrottled, ""},
		{400, "required", "Bucket is a requester pays bucket but no user project provided.", fs.ErrPermission, "project"},
		{404, "notFound", "The specified bucket does not exist.", backend.ErrStoreNotFound, "check bucket"},
		{412, "conditionNotMet", "At least one of the pre-conditions you specified did not hold.", backend.ErrPrecondition, ""},
		{408, "requestTimeout", "", backend.ErrUnavailable, ""},
		{409, "conflict", "", backend.ErrUnavailable, ""},
		{410, "uploadGone", "", backend.ErrUnavailable, ""},
		{413, "uploadTooLarge", "", backend.ErrTooLarge, ""},
		{429, "rateLimitExceeded", "", backend.ErrThrottled, ""},
		{500, "backendError", "", backend.ErrUnavailable, ""},
		{502, "", "", backend.ErrUnavailable, ""},
		{503, "backendError", "", backend.ErrUnavailable, ""},
		{504, "", "", backend.ErrUnavailable, ""},
	} {
		status.Store(int32(c.status))
		reason.Store(c.reason)
		message.Store(c.message)
		requests.Store(0)
		failed := everyError(t.Context(), b)
		require.EqualValues(t, len(failed), requests.Load(), c.status)
		for op, err := range failed {
			require.ErrorIs(t, err, c.class, "%s: %d %s", op, c.status, c.message)
			require.NotErrorIs(t, err, fs.ErrNotExist)
			require.ErrorContains(t, err, c.hint)
			var carrier *backend.Error
			require.ErrorAs(t, err, &carrier)
			if c.status != http.StatusNotFound {
				require.Equal(t, 7*time.Second, carrier.RetryAfter, op)
			}
		}
	}
}

func TestMissingBucketIsNoMissingObject(t *testing.T) {
	bucket := http.StatusOK
	b := answering(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case !strings.HasSuffix(r.URL.Path, "/o"):
			refuse(w, 404, "notFound", "Not Found")
		case bucket == http.StatusOK:
			_, _ = io.WriteString(w, `{}`)
		default:
			refuse(w, bucket, "", "no")
		}
	})
	stat := func() error { _, err := b.Stat(t.Context(), "key"); return err }
	require.ErrorIs(t, stat(), fs.ErrNotExist)
	require.NoError(t, b.Delete(t.Context(), "key", backend.DeleteOptions{}))
	for status, class := range map[int]error{404: backend.ErrStoreNotFound, 403: fs.ErrPermission, 503: backend.ErrUnavailable} {
		bucket = status
		require.ErrorIs(t, stat(), class)
		require.NotErrorIs(t, stat(), fs.ErrNotExist)
		require.ErrorIs(t, b.Delete(t.Context(), "key", backend.DeleteOptions{}), class)
	}
}

func TestOnlyAListingIsAListing(t *testing.T) {
	var answer atomic.Value
	b := answering(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, answer.Load().(string)) })
	list := func() (keys []string, err error) {
		for page, err := range b.List(t.Context(), backend.ListOptions{}) {
			if err != nil {
				return keys, err
			}
			for _, o := range page {
				keys = append(keys, o.Key)
			}
		}
		return keys, nil
	}
	for _, wrong := range []string{
		"", "<html>sign in</html>", `{"items": [`, `[]`, `{"items": 3}`,
		`{"items": [{"name": "b"}, {"name": "a"}]}`, `{"items": [{"name": "a"}, {"name": "a"}]}`, `{"items": [{"name": ""}]}`,
	} {
		answer.Store(wrong)
		_, err := list()
		require.ErrorIs(t, err, backend.ErrUnavailable, wrong)
	}
	answer.Store(`{"items": [{"name": ".objrepl/x"}, {"name": "a"}, {"name": "b"}]}`)
	keys, err := list()
	require.NoError(t, err)
	require.Equal(t, []string{"a", "b"}, keys)
}

func TestMetadataThatChangesMovesTheStamp(t *testing.T) {
	metageneration := 1
	b := answering(t, func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"name": "key", "generation": "5", "metageneration": "%d", "metadata": {"UPPER": "1", "mtime": "1.5"}}`, metageneration)
	})
	first, err := b.Stat(t.Context(), "key")
	require.NoError(t, err)
	metageneration = 2
	second, err := b.Stat(t.Context(), "key")
	require.NoError(t, err)
	require.Equal(t, first.Tag, second.Tag)
	require.NotEqual(t, first.Stamp, second.Stamp)
	require.Equal(t, map[string]string{"upper": "1"}, first.Metadata.User)
	require.True(t, time.Unix(1, 5e8).Equal(first.Metadata.ModTime))
}

// The test server finishes every rewrite at once.
func TestRewritesGoOnUntilTheyAreDone(t *testing.T) {
	var tokens []string
	b := answering(t, func(w http.ResponseWriter, r *http.Request) {
		tokens = append(tokens, r.URL.Query().Get("rewriteToken"))
		if len(tokens) < 3 {
			fmt.Fprintf(w, `{"done": false, "rewriteToken": "t%d"}`, len(tokens))
			return
		}
		_, _ = io.WriteString(w, `{"done": true, "resource": {"name": "to", "generation": "9"}}`)
	})
	o, err := b.(backend.Copier).Copy(t.Context(), "from", "to", backend.CopyOptions{})
	require.NoError(t, err)
	require.Equal(t, []string{"", "t1", "t2"}, tokens)
	require.EqualValues(t, "9", o.Tag)
}

func TestBrokenBodiesAreReported(t *testing.T) {
	const sum = "crc32c=yZRlqg==" // of "hello world"
	var media atomic.Int32
	var body atomic.Value
	b := answering(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("alt") != "media" {
			_, _ = io.WriteString(w, `{"name": "key", "size": "11", "generation": "5", "crc32c": "yZRlqg=="}`)
			return
		}
		media.Add(1)
		w.Header().Set("Content-Length", "11")
		w.Header().Set("X-Goog-Hash", sum)
		_, _ = io.WriteString(w, body.Load().(string))
	})
	read := func() (string, error) {
		media.Store(0)
		_, r, err := b.Open(t.Context(), "key", backend.OpenOptions{})
		require.NoError(t, err)
		defer r.Close()
		data, err := io.ReadAll(r)
		return string(data), err
	}
	body.Store("hello world")
	data, err := read()
	require.NoError(t, err)
	require.Equal(t, "hello world", data)
	body.Store("hello w0rld")
	_, err = read()
	require.ErrorIs(t, err, backend.ErrChecksum)
	body.Store("hello")
	_, err = read()
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.True(t, backend.Retryable(err))
	require.EqualValues(t, 1, media.Load(), "nothing is asked for again")
}
