package s3test

import (
	"bytes"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/sse"
	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/internal/drivertest"
	"github.com/objrepl/replication/internal/testutil"
)

// KMSKey is the one key that servers of [Encrypting] have.
const KMSKey = "objrepl-test-key"

// Encrypting starts a MinIO that can encrypt what it keeps.
func Encrypting(tb testing.TB) *testutil.Server {
	return testutil.MinIO(tb, testutil.WithKMSKey(KMSKey))
}

// The header by which a store says how an object is kept, and by what key.
const (
	encryptionHeader = "X-Amz-Server-Side-Encryption"
	encryptionKey    = "X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id"
)

// An atRest is a way to have objects encrypted, and what the store says then.
type atRest struct {
	name      string
	settings  map[string]string
	byBucket  func() *sse.Configuration // the bucket's own default, or nil
	algorithm string
	key       string
}

var waysAtRest = []atRest{
	{name: "SSE-S3", settings: map[string]string{"sse": "AES256"}, algorithm: "AES256"},
	{name: "SSE-KMS", settings: map[string]string{"kms_key_id": KMSKey}, algorithm: "aws:kms", key: "arn:aws:kms:" + KMSKey},
	{name: "SSE-KMS with the store's own key", settings: map[string]string{"sse": "aws:kms"}, algorithm: "aws:kms", key: "arn:aws:kms:" + KMSKey},
	{name: "default of the bucket", byBucket: sse.NewConfigurationSSES3, algorithm: "AES256"},
	{name: "KMS key of the bucket", byBucket: func() *sse.Configuration { return sse.NewConfigurationSSEKMS(KMSKey) }, algorithm: "aws:kms", key: "arn:aws:kms:" + KMSKey},
}

// bucket makes a bucket that keeps objects so, and returns the settings for it.
func (a atRest) bucket(t *testing.T, server *testutil.Server) backend.Settings {
	name := server.NewBucket(t)
	if a.byBucket != nil {
		require.NoError(t, server.Client(t).SetBucketEncryption(t.Context(), name, a.byBucket()))
	}
	s := Settings(server, name)
	for name, value := range a.settings {
		s[name] = value
	}
	return s
}

// secret is what must not be found on a disk.
const secret = "what nobody may read on the disk "

// EncryptsAtRest checks that whatever makes an object has it encrypted: the
// store says so, and its disk does not hold the content. One that is not
// encrypted is found there, so that the search is known to see.
func EncryptsAtRest(t *testing.T, driver backend.Driver, server *testutil.Server) {
	for _, way := range append(waysAtRest, atRest{name: "none"}) {
		t.Run(way.name, func(t *testing.T) {
			s := way.bucket(t, server)
			b := drivertest.Open(t, driver, s)
			content := map[string]string{
				"small":  strings.Repeat(secret+"small ", 40),
				"large":  strings.Repeat(secret+"large ", 60_000), // 2.3 MB, on disk in a file of its own
				"parts":  strings.Repeat(secret+"parts ", 150_000),
				"copied": strings.Repeat(secret+"large ", 60_000),
			}
			for _, key := range []string{"small", "large"} {
				_, err := b.Put(t.Context(), key, backend.Bytes([]byte(content[key])), backend.PutOptions{})
				require.NoError(t, err)
			}
			putInParts(t, b, "parts", content["parts"])
			copier, _ := backend.As[backend.Copier](b)
			_, err := copier.Copy(t.Context(), "large", "copied", backend.CopyOptions{})
			require.NoError(t, err)

			client := server.Client(t)
			for key, want := range content {
				info, err := client.StatObject(t.Context(), s["bucket"], key, minio.StatObjectOptions{})
				require.NoError(t, err, key)
				require.Equal(t, way.algorithm, info.Metadata.Get(encryptionHeader), key)
				require.Equal(t, way.key, info.Metadata.Get(encryptionKey), key)
				_, r, err := b.Open(t.Context(), key, backend.OpenOptions{})
				require.NoError(t, err, key)
				got, err := io.ReadAll(r)
				require.NoError(t, err, key)
				require.NoError(t, r.Close())
				require.True(t, want == string(got), key)
				require.Equal(t, way.algorithm == "", onDisk(t, filepath.Join(server.Dir, s["bucket"], key), secret), key)
			}
		})
	}
}

func putInParts(t *testing.T, b backend.Backend, key, content string) {
	const size = 5 << 20
	uploader, _ := backend.As[backend.PartUploader](b)
	u, err := uploader.UploadParts(t.Context(), key, backend.PartsOptions{PartSize: size})
	require.NoError(t, err)
	var parts []backend.Part
	for i := 0; i*size < len(content); i++ {
		p, err := u.Put(t.Context(), i+1, backend.Bytes([]byte(content[i*size:min((i+1)*size, len(content))])))
		require.NoError(t, err)
		parts = append(parts, p)
	}
	require.Greater(t, len(parts), 1)
	_, err = u.Complete(t.Context(), parts, backend.Condition{})
	require.NoError(t, err)
}

// onDisk reports whether any file below a directory holds a text.
func onDisk(t *testing.T, dir, text string) (found bool) {
	files := 0
	require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		files++
		found = found || bytes.Contains(data, []byte(text))
		return err
	}))
	require.Positive(t, files, "nothing in %s", dir)
	return found
}

// ConformsEncrypted runs the conformance suite where all is encrypted in one of
// the ways above.
func ConformsEncrypted(t *testing.T, driver backend.Driver, server *testutil.Server, name string) {
	i := slices.IndexFunc(waysAtRest, func(a atRest) bool { return a.name == name })
	conform(t, driver, server, waysAtRest[i].bucket(t, server), append(slices.Clone(MinIO), Quirk{
		Check:  "key-slash-trailing",
		Source: "MinIO, cmd/encryption-v1.go, DecryptObjectInfo: what ends with a slash counts as a directory, and HEAD shows its ETag as it is stored",
	}))
}

// NamesWrongKeys checks what a person is told where the store cannot encrypt as
// the settings want it: it lacks the key, or all keys, or ignores the wish. The
// last is found out by the first write, and nothing follows that.
func NamesWrongKeys(t *testing.T, driver backend.Driver, server *testutil.Server) {
	for _, c := range []struct {
		name, setting, value string
		server               *testutil.Server
		words                string
		ignores              bool
	}{
		{"unknown key", "kms_key_id", "no-such-key", server, "check kms_key_id", false},
		{"store without keys", "sse", "AES256", testutil.SharedMinIO(t), "leave sse and kms_key_id out", false},
		{"store that knows no encryption", "sse", "AES256", testutil.SharedVersityGW(t), "does not encrypt", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := Settings(c.server, c.server.NewBucket(t))
			_, err := drivertest.Open(t, driver, s).Put(t.Context(), "there", backend.Bytes([]byte("x")), backend.PutOptions{})
			require.NoError(t, err)
			s[c.setting] = c.value
			var b backend.Backend
			calls := map[string]func() error{
				"put": func() error {
					_, err := b.Put(t.Context(), "key", backend.Bytes([]byte("x")), backend.PutOptions{})
					return err
				},
				"copy": func() error {
					copier, _ := backend.As[backend.Copier](b)
					_, err := copier.Copy(t.Context(), "there", "key", backend.CopyOptions{})
					return err
				},
				"upload": func() error {
					uploader, _ := backend.As[backend.PartUploader](b)
					u, err := uploader.UploadParts(t.Context(), "key", backend.PartsOptions{PartSize: 5 << 20})
					if err != nil {
						return err
					}
					part, err := u.Put(t.Context(), 1, backend.Bytes([]byte("x")))
					require.NoError(t, err)
					_, err = u.Complete(t.Context(), []backend.Part{part}, backend.Condition{})
					return err
				},
			}
			for name, call := range calls {
				proxy := testutil.CountingProxy(t, c.server.Endpoint)
				b = drivertest.Open(t, driver, drivertest.With(s, "endpoint", proxy.URL))
				err := call()
				require.ErrorIs(t, err, fs.ErrPermission, name)
				require.True(t, backend.Definite(err), name)
				require.ErrorContains(t, err, driver.Name(), name)
				require.ErrorContains(t, err, c.words, name)
				require.ErrorContains(t, err, "kms_key_id", name)
				if !c.ignores {
					continue
				}
				proxy.Reset()
				for again, call := range calls {
					require.ErrorContains(t, call(), c.words, again)
				}
				require.Empty(t, proxy.Requests(), "%s: more was sent to a store that does not encrypt", name)
			}
			uploads := drivertest.Open(t, driver, drivertest.With(s, c.setting, "")).(backend.UploadLister)
			left, err := uploads.ListUploads(t.Context(), "key")
			require.NoError(t, err)
			require.Empty(t, left, "an upload is left")
		})
	}
}
