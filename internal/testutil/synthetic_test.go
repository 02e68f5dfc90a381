package testutil

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/stretchr/testify/require"
)

// syntheticClient is a client that knows nothing of this package.
func syntheticClient(t *testing.T, s *Synthetic) *minio.Core {
	t.Helper()
	transport := newTransport()
	t.Cleanup(transport.CloseIdleConnections)
	core, err := minio.NewCore(strings.TrimPrefix(s.Endpoint, "http://"), &minio.Options{
		Creds: credentials.NewStaticV4("any", "any-secret", ""), Region: "us-east-1", Transport: transport, MaxRetries: 1,
	})
	require.NoError(t, err)
	return core
}

func listed(t *testing.T, c *minio.Core, opts minio.ListObjectsOptions) []string {
	t.Helper()
	var keys []string
	opts.Recursive = true
	for o := range c.Client.ListObjects(t.Context(), "bucket", opts) {
		require.NoError(t, o.Err)
		keys = append(keys, o.Key)
	}
	return keys
}

func TestSyntheticListsGeneratedKeysInOrderAndInBounds(t *testing.T) {
	s := NewSynthetic(t, 2500, 100)
	c := syntheticClient(t, s)
	keys := listed(t, c, minio.ListObjectsOptions{})
	require.Len(t, keys, 2500)
	for i := range keys {
		require.Equal(t, string(appendSyntheticKey(nil, uint32(i))), keys[i])
	}
	require.Equal(t, map[string]int{"ListObjects": 3}, s.Counts())
	require.Equal(t, keys, listed(t, c, minio.ListObjectsOptions{MaxKeys: 999}))
	require.Equal(t, keys[1001:], listed(t, c, minio.ListObjectsOptions{StartAfter: keys[1000]}))
	require.Equal(t, keys[1001:], listed(t, c, minio.ListObjectsOptions{StartAfter: keys[1000] + "!"}))
	require.Equal(t, keys[2300:2400], listed(t, c, minio.ListObjectsOptions{Prefix: keys[2300][:len(keys[2300])-2]}))
	require.Empty(t, listed(t, c, minio.ListObjectsOptions{Prefix: "other/"}))
	require.Empty(t, listed(t, c, minio.ListObjectsOptions{StartAfter: keys[2499]}))
	require.Empty(t, listed(t, syntheticClient(t, NewSynthetic(t, 0, 100)), minio.ListObjectsOptions{}))
}

func TestSyntheticKeepsVersionsAndConditions(t *testing.T) {
	source, destination := NewSynthetic(t, 3, 200), NewSynthetic(t, 3, 200)
	from, to := syntheticClient(t, source), syntheticClient(t, destination)
	key := string(appendSyntheticKey(nil, 1))
	read := func(c *minio.Core) ([]byte, string) {
		body, info, _, err := c.GetObject(t.Context(), "bucket", key, minio.GetObjectOptions{})
		require.NoError(t, err)
		defer body.Close()
		content, err := io.ReadAll(body)
		require.NoError(t, err)
		require.Len(t, content, 200)
		return content, info.ETag
	}
	write := func(content []byte, opts minio.PutObjectOptions) (minio.UploadInfo, error) {
		opts.DisableContentSha256 = true // and with it the chunks that a signature comes in
		return to.PutObject(t.Context(), "bucket", key, bytes.NewReader(content), int64(len(content)), "", "", opts)
	}

	first, etag := read(from)
	require.Equal(t, 2, source.Change(2))
	require.Equal(t, 1, source.Change(3))
	unchanged, same := read(from)
	require.Equal(t, first, unchanged)
	require.Equal(t, etag, same)
	require.Equal(t, 3, source.Change(1))
	second, etag2 := read(from)
	require.NotEqual(t, first, second)
	require.NotEqual(t, etag, etag2)

	require.True(t, destination.SameAs(NewSynthetic(t, 3, 200)))
	destination.Clear()
	_, err := to.StatObject(t.Context(), "bucket", key, minio.StatObjectOptions{})
	require.Equal(t, "NoSuchKey", minio.ToErrorResponse(err).Code)
	require.Empty(t, listed(t, to, minio.ListObjectsOptions{}))

	create := minio.PutObjectOptions{UserMetadata: map[string]string{"note": "x"}}
	create.SetMatchETagExcept("*")
	info, err := write(first, create)
	require.NoError(t, err)
	require.Equal(t, etag, info.ETag)
	_, err = write(second, create)
	require.Equal(t, "PreconditionFailed", minio.ToErrorResponse(err).Code)
	replace := minio.PutObjectOptions{}
	replace.SetMatchETag(etag2)
	_, err = write(second, replace)
	require.Equal(t, "PreconditionFailed", minio.ToErrorResponse(err).Code)
	stat, err := to.StatObject(t.Context(), "bucket", key, minio.StatObjectOptions{})
	require.NoError(t, err)
	require.Equal(t, "x", stat.UserMetadata["Note"])
	replace.SetMatchETag(etag)
	info, err = write(second, replace)
	require.NoError(t, err)
	require.Equal(t, etag2, info.ETag)
	got, _ := read(to)
	require.Equal(t, second, got)

	// What is no version of this object is not taken.
	second[150] ^= 1
	_, err = write(second, minio.PutObjectOptions{})
	require.Equal(t, "BadDigest", minio.ToErrorResponse(err).Code)

	require.NoError(t, to.RemoveObject(t.Context(), "bucket", key, minio.RemoveObjectOptions{}))
	_, err = to.StatObject(t.Context(), "bucket", key, minio.StatObjectOptions{})
	require.Error(t, err)
}
