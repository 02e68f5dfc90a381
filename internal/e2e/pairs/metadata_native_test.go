package pairs

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	miniogo "github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/internal/testutil"
)

// A nativeStore is a store as another program sees it: user metadata by name,
// as it is kept.
type nativeStore interface {
	write(t *testing.T, key string, user map[string]string)
	read(t *testing.T, key string) map[string]string
}

type nativeS3 struct {
	client *miniogo.Client
	bucket string
}

func nativeBucket(t *testing.T, server *testutil.Server) (map[string]string, nativeStore) {
	t.Helper()
	client, err := miniogo.New(strings.TrimPrefix(server.Endpoint, "http://"), &miniogo.Options{
		Creds: credentials.NewStaticV4(server.AccessKey, server.SecretKey, ""), Region: "us-east-1",
	})
	require.NoError(t, err)
	settings := bucket(server, server.NewBucket(t))
	return settings, nativeS3{client, settings["bucket"]}
}

func (s nativeS3) write(t *testing.T, key string, user map[string]string) {
	t.Helper()
	_, err := s.client.PutObject(t.Context(), s.bucket, key, strings.NewReader("content"), 7, miniogo.PutObjectOptions{UserMetadata: user})
	require.NoError(t, err)
}

func (s nativeS3) read(t *testing.T, key string) map[string]string {
	t.Helper()
	o, err := s.client.StatObject(t.Context(), s.bucket, key, miniogo.StatObjectOptions{})
	require.NoError(t, err)
	out := map[string]string{}
	for name, value := range o.UserMetadata {
		out[strings.ToLower(name)] = value
	}
	return out
}

// nativeGCS are the settings of a bucket.
type nativeGCS map[string]string

func (s nativeGCS) write(t *testing.T, key string, user map[string]string) {
	t.Helper()
	metadata, err := json.Marshal(map[string]any{"name": key, "metadata": user})
	require.NoError(t, err)
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	for _, part := range []struct{ kind, data string }{{"application/json", string(metadata)}, {"text/plain", "content"}} {
		p, err := w.CreatePart(textproto.MIMEHeader{"Content-Type": {part.kind}})
		require.NoError(t, err)
		_, err = io.WriteString(p, part.data)
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	address := fmt.Sprintf("%s/upload/storage/v1/b/%s/o?uploadType=multipart", s["endpoint"], s["bucket"])
	res, err := http.Post(address, "multipart/related; boundary="+w.Boundary(), &body)
	require.NoError(t, err)
	defer res.Body.Close()
	require.Equal(t, http.StatusOK, res.StatusCode)
}

func (s nativeGCS) read(t *testing.T, key string) map[string]string {
	t.Helper()
	res, err := http.Get(fmt.Sprintf("%s/storage/v1/b/%s/o/%s", s["endpoint"], s["bucket"], url.PathEscape(key)))
	require.NoError(t, err)
	defer res.Body.Close()
	var answer struct{ Metadata map[string]string }
	require.NoError(t, json.NewDecoder(res.Body).Decode(&answer))
	return answer.Metadata
}

type nativeAzure struct{ container *container.Client }

func newNativeAzure(t *testing.T, settings map[string]string) nativeAzure {
	t.Helper()
	key, err := container.NewSharedKeyCredential(settings["accountName"], settings["accountKey"])
	require.NoError(t, err)
	client, err := container.NewClientWithSharedKeyCredential(settings["endpoint"]+"/"+settings["containerName"], key, nil)
	require.NoError(t, err)
	return nativeAzure{client}
}

func (s nativeAzure) write(t *testing.T, key string, user map[string]string) {
	t.Helper()
	metadata := map[string]*string{}
	for name, value := range user {
		metadata[name] = &value
	}
	_, err := s.container.NewBlockBlobClient(key).UploadBuffer(t.Context(), []byte("content"), &blockblob.UploadBufferOptions{Metadata: metadata})
	require.NoError(t, err)
}

func (s nativeAzure) read(t *testing.T, key string) map[string]string {
	t.Helper()
	res, err := s.container.NewBlobClient(key).GetProperties(t.Context(), nil)
	require.NoError(t, err)
	out := map[string]string{}
	for name, value := range res.Metadata {
		out[strings.ToLower(name)] = *value
	}
	return out
}

// archive moves an object to the archive tier.
func (s nativeAzure) archive(ctx context.Context, key string) error {
	_, err := s.container.NewBlobClient(key).SetTier(ctx, blob.AccessTierArchive, nil)
	return err
}
