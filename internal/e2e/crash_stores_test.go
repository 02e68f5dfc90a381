//go:build linux

package e2e

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/minio/minio-go/v7"
	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/internal/testutil"
)

type digest = [sha256.Size]byte

// A history is every version that the source ever had of every key, oldest
// first. What is seen anywhere has to be one of them, whole.
type history struct {
	mu       sync.Mutex
	versions map[string][]digest // guarded by mu
	live     map[string]bool     // guarded by mu; keys that the source has now
}

func newHistory() *history {
	return &history{versions: map[string][]digest{}, live: map[string]bool{}}
}

// add notes a version before anybody can see it.
func (h *history) add(key string, content []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.versions[key] = append(h.versions[key], sha256.Sum256(content))
	h.live[key] = true
}

func (h *history) remove(key string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.live, key)
}

// find returns which version of a key a content is.
func (h *history) find(key string, sum digest) (version int, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i, known := range h.versions[key] {
		if known == sum {
			return i, true
		}
	}
	return 0, false
}

// latest returns what the source has now.
func (h *history) latest() map[string]digest {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := map[string]digest{}
	for key := range h.live {
		out[key] = h.versions[key][len(h.versions[key])-1]
	}
	return out
}

// A store is one side, seen past the code under test. Its changes are atomic,
// so that every state of an object is one of its versions.
type store interface {
	put(t *testing.T, key string, content []byte)
	remove(t *testing.T, key string)
	keys(ctx context.Context) ([]string, error)
	// sum reads one object. gone says that it is not there.
	sum(ctx context.Context, key string) (sum digest, gone bool, err error)
}

// contents reads all of a store.
func contents(t *testing.T, s store) map[string]digest {
	t.Helper()
	keys, err := s.keys(t.Context())
	require.NoError(t, err)
	out := map[string]digest{}
	for _, key := range keys {
		sum, gone, err := s.sum(t.Context(), key)
		require.NoError(t, err)
		require.False(t, gone)
		out[key] = sum
	}
	return out
}

// A folder is a directory. Whatever is visible in it has to be readable at any
// time.
type folder struct{ path, scratch string }

func (f folder) put(t *testing.T, key string, content []byte) {
	t.Helper()
	temp, path := filepath.Join(f.scratch, "next"), filepath.Join(f.path, filepath.FromSlash(key))
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(temp, content, 0o644))
	require.NoError(t, os.Rename(temp, path))
}

func (f folder) remove(t *testing.T, key string) {
	t.Helper()
	require.NoError(t, os.Remove(filepath.Join(f.path, filepath.FromSlash(key))))
}

func (f folder) keys(context.Context) ([]string, error) {
	var keys []string
	err := filepath.WalkDir(f.path, func(path string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil // not made yet, or removed meanwhile
		case err != nil:
			return err
		case d.Name() == ".objrepl":
			return fs.SkipDir
		case !d.IsDir():
			rel, err := filepath.Rel(f.path, path)
			keys = append(keys, filepath.ToSlash(rel))
			return err
		}
		return nil
	})
	return keys, err
}

func (f folder) sum(_ context.Context, key string) (digest, bool, error) {
	file, err := os.Open(filepath.Join(f.path, filepath.FromSlash(key)))
	if errors.Is(err, fs.ErrNotExist) {
		return digest{}, true, nil
	}
	if err != nil {
		return digest{}, false, err
	}
	defer file.Close()
	return sumOf(file)
}

func sumOf(r io.Reader) (out digest, gone bool, err error) {
	h := sha256.New()
	_, err = io.Copy(h, r)
	h.Sum(out[:0])
	return out, false, err
}

// A bucketStore is a bucket on a server that may be down, which is an error.
type bucketStore struct {
	client *minio.Core
	bucket string
}

func newBucketStore(t *testing.T, server *testutil.Server) bucketStore {
	return bucketStore{&minio.Core{Client: server.Client(t)}, server.NewBucket(t)}
}

func (b bucketStore) put(t *testing.T, key string, content []byte) {
	t.Helper()
	_, err := b.client.Client.PutObject(t.Context(), b.bucket, key, bytes.NewReader(content), int64(len(content)),
		minio.PutObjectOptions{DisableMultipart: true})
	require.NoError(t, err)
}

func (b bucketStore) remove(t *testing.T, key string) {
	t.Helper()
	require.NoError(t, b.client.RemoveObject(t.Context(), b.bucket, key, minio.RemoveObjectOptions{}))
}

func (b bucketStore) keys(ctx context.Context) ([]string, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var keys []string
	for o := range b.client.Client.ListObjects(ctx, b.bucket, minio.ListObjectsOptions{Recursive: true}) {
		if o.Err != nil {
			return nil, o.Err
		}
		keys = append(keys, o.Key)
	}
	return keys, nil
}

var errTorn = errors.New("the server sent a body that is not as long as it said, without an error")

func (b bucketStore) sum(ctx context.Context, key string) (digest, bool, error) {
	body, info, _, err := b.client.GetObject(ctx, b.bucket, key, minio.GetObjectOptions{})
	if err != nil {
		gone := minio.ToErrorResponse(err).Code == "NoSuchKey"
		if gone {
			err = nil
		}
		return digest{}, gone, err
	}
	defer body.Close()
	counted := &countingReader{r: body}
	sum, _, err := sumOf(counted)
	if err == nil && counted.n != info.Size {
		err = errTorn
	}
	return sum, false, err
}

type countingReader struct {
	r io.Reader
	n int64
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}
