package testutil

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// clientOf returns a client that reaches srv through p and never retries, so that
// each call is the requests it is meant to be.
func clientOf(t *testing.T, p *Proxy, srv *Server) *minio.Core {
	t.Helper()
	transport := newTransport()
	t.Cleanup(transport.CloseIdleConnections)
	core, err := minio.NewCore(strings.TrimPrefix(p.URL, "http://"), &minio.Options{
		Creds:      credentials.NewStaticV4(srv.AccessKey, srv.SecretKey, ""),
		Region:     srv.Region,
		Transport:  transport,
		MaxRetries: 1,
	})
	require.NoError(t, err)
	return core
}

func TestProxyCountsWhatPasses(t *testing.T) {
	for _, l := range launchers {
		t.Run(l.name, func(t *testing.T) {
			ctx := t.Context()
			srv := l.shared(t)
			bucket := srv.NewBucket(t)
			proxy := CountingProxy(t, srv.Endpoint)
			client := clientOf(t, proxy, srv)

			// A key whose escaping a proxy could spoil.
			key := "dir/a b+c%2Fd=é"
			put(t, client.Client, bucket, key, "hello")
			body, _, _, err := client.GetObject(ctx, bucket, key, minio.GetObjectOptions{})
			require.NoError(t, err)
			got, err := io.ReadAll(body)
			require.NoError(t, err)
			require.NoError(t, body.Close())
			assert.Equal(t, "hello", string(got))
			_, err = client.StatObject(ctx, bucket, key, minio.StatObjectOptions{})
			require.NoError(t, err)
			list, err := client.ListObjectsV2(bucket, "", "", "", "", 10)
			require.NoError(t, err)
			require.Len(t, list.Contents, 1)
			assert.Equal(t, key, list.Contents[0].Key)
			_, err = client.CopyObject(ctx, bucket, key, bucket, "copy", nil,
				minio.CopySrcOptions{}, minio.PutObjectOptions{})
			require.NoError(t, err)
			require.NoError(t, client.RemoveObject(ctx, bucket, key, minio.RemoveObjectOptions{}))
			_, err = client.BucketExists(ctx, bucket)
			require.NoError(t, err)

			id, err := client.NewMultipartUpload(ctx, bucket, "parts", minio.PutObjectOptions{})
			require.NoError(t, err)
			part, err := client.PutObjectPart(ctx, bucket, "parts", id, 1, strings.NewReader("part"), 4,
				minio.PutObjectPartOptions{})
			require.NoError(t, err)
			_, err = client.CompleteMultipartUpload(ctx, bucket, "parts", id,
				[]minio.CompletePart{{PartNumber: 1, ETag: part.ETag}}, minio.PutObjectOptions{})
			require.NoError(t, err)

			assert.Equal(t, map[string]int{
				"PutObject": 1, "GetObject": 1, "HeadObject": 1, "ListObjects": 1, "CopyObject": 1,
				"DeleteObject": 1, "HeadBucket": 1,
				"CreateMultipartUpload": 1, "UploadPart": 1, "CompleteMultipartUpload": 1,
			}, proxy.Counts(), strings.Join(proxy.Requests(), "\n"))
			assert.Equal(t, fmt.Sprintf("HeadBucket HEAD /%s/ 200", bucket), proxy.Requests()[6])

			proxy.Reset()
			assert.Empty(t, proxy.Counts())
			assert.Empty(t, proxy.Requests())
		})
	}
}

func TestProxyStreamsLargeBodiesUnchanged(t *testing.T) {
	srv := SharedMinIO(t)
	bucket := srv.NewBucket(t)
	proxy := CountingProxy(t, srv.Endpoint)
	client := clientOf(t, proxy, srv)

	data := make([]byte, 9<<20)
	_, _ = rand.Read(data)
	_, err := client.PutObject(t.Context(), bucket, "big", bytes.NewReader(data), int64(len(data)), "", "",
		minio.PutObjectOptions{})
	require.NoError(t, err)
	got := get(t, client.Client, bucket, "big")
	assert.True(t, got == string(data), "body came back different")
}

func TestProxyInterceptorAnswersDropsAndLosesAnswers(t *testing.T) {
	srv := SharedMinIO(t)
	bucket := srv.NewBucket(t)
	proxy := CountingProxy(t, srv.Endpoint)
	client := clientOf(t, proxy, srv)
	putObject := func(key string) error {
		_, err := client.PutObject(t.Context(), bucket, key, strings.NewReader("x"), 1, "", "", minio.PutObjectOptions{})
		return err
	}
	exists := func(key string) bool {
		_, err := srv.Client(t).StatObject(t.Context(), bucket, key, minio.StatObjectOptions{})
		return err == nil
	}

	proxy.Intercept(func(op string, w http.ResponseWriter, r *http.Request, next http.Handler) {
		if op == "PutObject" {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		next.ServeHTTP(w, r)
	})
	assert.Equal(t, http.StatusServiceUnavailable, minio.ToErrorResponse(putObject("refused")).StatusCode)
	assert.False(t, exists("refused"))
	_, err := client.BucketExists(t.Context(), bucket)
	assert.NoError(t, err, "other operations pass")

	proxy.Intercept(func(string, http.ResponseWriter, *http.Request, http.Handler) {
		panic(http.ErrAbortHandler)
	})
	assert.Error(t, putObject("dropped"))
	assert.False(t, exists("dropped"))

	proxy.Intercept(func(_ string, _ http.ResponseWriter, r *http.Request, next http.Handler) {
		next.ServeHTTP(discardResponse{}, r)
		panic(http.ErrAbortHandler)
	})
	assert.Error(t, putObject("unanswered"))
	assert.True(t, exists("unanswered"))

	proxy.Intercept(nil)
	assert.NoError(t, putObject("passed"))
	assert.Equal(t, 1, proxy.Counts()["PutObject"])
	assert.Equal(t, 3, proxy.Failed()["PutObject"])
}

type discardResponse struct{}

func (discardResponse) Header() http.Header         { return http.Header{} }
func (discardResponse) Write(b []byte) (int, error) { return len(b), nil }
func (discardResponse) WriteHeader(int)             {}

func TestProxyBreaksConnectionsWhileTheServerIsDown(t *testing.T) {
	srv := VersityGW(t)
	bucket := srv.NewBucket(t)
	proxy := CountingProxy(t, srv.Endpoint)
	client := clientOf(t, proxy, srv)
	put(t, client.Client, bucket, "key", "hello")

	srv.Kill(t)
	_, err := client.StatObject(t.Context(), bucket, "key", minio.StatObjectOptions{})
	require.Error(t, err)
	assert.Zero(t, minio.ToErrorResponse(err).StatusCode, "no answer at all")
	assert.True(t, strings.HasSuffix(proxy.Requests()[1], " -"), proxy.Requests()[1])

	srv.Start(t)
	_, err = client.StatObject(t.Context(), bucket, "key", minio.StatObjectOptions{})
	assert.NoError(t, err)
}

func TestProxyKeepsABoundedRequestLog(t *testing.T) {
	p := &Proxy{counts: make(map[string]int)}
	for i := range requestLogLines + 7 {
		p.begin(&logEntry{op: "GetObject", method: "GET", uri: fmt.Sprintf("/b/%d", i)})
	}
	lines := p.Requests()
	require.Len(t, lines, requestLogLines)
	assert.Equal(t, "GetObject GET /b/7 -", lines[0])
	assert.Equal(t, fmt.Sprintf("GetObject GET /b/%d -", requestLogLines+6), lines[requestLogLines-1])
	assert.Equal(t, requestLogLines+7, p.Counts()["GetObject"])
}
