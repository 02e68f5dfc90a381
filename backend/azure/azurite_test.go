package azure_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/sas"
	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/azure"
	"github.com/objrepl/replication/backend/internal/drivertest"
	"github.com/objrepl/replication/internal/testutil"
)

// watched opens a fresh container behind a proxy, and counts its requests by
// method and kind.
func watched(t *testing.T) (backend.Backend, *testutil.Proxy, func() map[string]int) {
	server := testutil.SharedAzurite(t)
	proxy := testutil.CountingProxy(t, server.Endpoint)
	s := drivertest.With(settings(server, server.NewContainer(t)), "endpoint", proxy.URL+"/"+server.AccessKey)
	var mu sync.Mutex
	counts := map[string]int{}
	proxy.Intercept(func(_ string, w http.ResponseWriter, r *http.Request, next http.Handler) {
		mu.Lock()
		counts[strings.TrimSpace(r.Method+" "+r.URL.Query().Get("comp"))]++
		mu.Unlock()
		next.ServeHTTP(w, r)
	})
	return drivertest.Open(t, azure.Driver, s), proxy, func() map[string]int {
		mu.Lock()
		defer mu.Unlock()
		seen := counts
		counts = map[string]int{}
		return seen
	}
}

func put(t *testing.T, b backend.Backend, key, data string, opts backend.PutOptions) backend.Object {
	t.Helper()
	o, err := b.Put(t.Context(), key, backend.Bytes([]byte(data)), opts)
	require.NoError(t, err)
	return o
}

func read(t *testing.T, b backend.Backend, key string) string {
	t.Helper()
	_, r, err := b.Open(t.Context(), key, backend.OpenOptions{})
	require.NoError(t, err)
	data, err := io.ReadAll(r)
	require.NoError(t, errors.Join(err, r.Close()))
	return string(data)
}

func begin(t *testing.T, b backend.Backend, key string, opts backend.PartsOptions) backend.PartUpload {
	t.Helper()
	uploader, ok := backend.As[backend.PartUploader](b)
	require.True(t, ok)
	u, err := uploader.UploadParts(t.Context(), key, opts)
	require.NoError(t, err)
	return u
}

func putPart(t *testing.T, u backend.PartUpload, number int, data string) backend.Part {
	t.Helper()
	p, err := u.Put(t.Context(), number, backend.Bytes([]byte(data)))
	require.NoError(t, err)
	return p
}

func TestOperationsCostWhatTheySay(t *testing.T) {
	b, _, counts := watched(t)
	ctx := t.Context()
	large := strings.Repeat("0123456789abcdef", 17<<16) // 17 MiB
	put(t, b, "small", "abc", backend.PutOptions{})
	put(t, b, "other", "abc", backend.PutOptions{})
	u := begin(t, b, "parts", backend.PartsOptions{PartSize: 9 << 20})
	copier, _ := backend.As[backend.Copier](b)
	var parts []backend.Part
	for _, c := range []struct {
		name string
		call func() error
		want map[string]int
	}{
		{"put small", func() error { put(t, b, "small", "abc", backend.PutOptions{}); return nil }, map[string]int{"PUT": 1}},
		{"put large", func() error { put(t, b, "large", large, backend.PutOptions{}); return nil }, map[string]int{"PUT block": 3, "PUT blocklist": 1}},
		{"stat", func() error { _, err := b.Stat(ctx, "small"); return err }, map[string]int{"HEAD": 1}},
		{"open", func() error { read(t, b, "large"); return nil }, map[string]int{"GET": 1}},
		{"copy", func() error { _, err := copier.Copy(ctx, "large", "copy", backend.CopyOptions{}); return err }, map[string]int{"PUT": 1}},
		{"list", func() error {
			for _, err := range b.List(ctx, backend.ListOptions{}) {
				if err != nil {
					return err
				}
			}
			return nil
		}, map[string]int{"GET list": 1}},
		{"delete", func() error { return b.Delete(ctx, "other", backend.DeleteOptions{}) }, map[string]int{"DELETE": 1}},
		{"put part", func() error { parts = append(parts, putPart(t, u, 1, large[:9<<20])); return nil }, map[string]int{"PUT block": 2}},
		{"parts", func() error { _, err := u.Parts(ctx); return err }, map[string]int{"GET blocklist": 1}},
		{"complete", func() error { _, err := u.Complete(ctx, parts, backend.Condition{}); return err }, map[string]int{"GET blocklist": 1, "PUT blocklist": 1}},
	} {
		counts()
		require.NoError(t, c.call(), c.name)
		require.Equal(t, c.want, counts(), c.name)
	}
	require.Equal(t, large, read(t, b, "copy"))
}

// Blocks of all writers of a key lie together.
func TestUploadsOfOneKeyAreToldApart(t *testing.T) {
	b, _, _ := watched(t)
	one := begin(t, b, "key", backend.PartsOptions{PartSize: 10, Metadata: backend.Metadata{ContentType: "text/one"}})
	two := begin(t, b, "key", backend.PartsOptions{PartSize: 10})
	first := putPart(t, one, 1, "one")
	second := putPart(t, two, 1, "two")
	for u, want := range map[backend.PartUpload]backend.Part{one: first, two: second} {
		parts, err := u.Parts(t.Context())
		require.NoError(t, err)
		require.Equal(t, []backend.Part{want}, parts)
	}
	_, err := one.Complete(t.Context(), []backend.Part{second}, backend.Condition{})
	require.ErrorIs(t, err, backend.ErrChecksum)
	require.NoError(t, two.Abort(t.Context()))

	// Another process goes on with the one and knows that the other is aborted.
	again := begin(t, b, "key", backend.PartsOptions{ID: one.ID(), PartSize: 10})
	aborted := begin(t, b, "key", backend.PartsOptions{ID: two.ID(), PartSize: 10})
	_, err = aborted.Complete(t.Context(), []backend.Part{second}, backend.Condition{})
	require.ErrorIs(t, err, fs.ErrNotExist)
	o, err := again.Complete(t.Context(), []backend.Part{first}, backend.Condition{})
	require.NoError(t, err)
	require.Equal(t, "one", read(t, b, "key"))
	o, err = b.Stat(t.Context(), o.Key)
	require.NoError(t, err)
	require.Equal(t, "text/one", o.Metadata.ContentType, "the id carries the metadata")
}

// discardBlocks has Azurite do what the service does at a Put Blob by itself:
// forget all blocks of a key. It does so at a commit alone.
func discardBlocks(t *testing.T, b backend.Backend, key, data string) backend.Object {
	t.Helper()
	u := begin(t, b, key, backend.PartsOptions{PartSize: 10})
	o, err := u.Complete(t.Context(), []backend.Part{putPart(t, u, 1, data)}, backend.Condition{})
	require.NoError(t, err)
	return o
}

func TestUploadsEndWhereSomebodyElseWrites(t *testing.T) {
	b, _, _ := watched(t)
	start := func() (backend.PartUpload, []backend.Part) {
		u := begin(t, b, "key", backend.PartsOptions{PartSize: 10})
		return u, []backend.Part{putPart(t, u, 1, "mine")}
	}
	u, parts := start()
	theirs := discardBlocks(t, b, "key", "theirs")
	_, err := u.Parts(t.Context())
	require.ErrorIs(t, err, fs.ErrNotExist)
	for _, c := range []struct {
		condition backend.Condition
		class     error
	}{
		{backend.Condition{}, fs.ErrNotExist},
		{backend.Condition{Absent: true}, fs.ErrExist},
		{backend.Condition{Match: "0x0"}, backend.ErrPrecondition},
		{backend.Condition{Match: theirs.Tag}, fs.ErrNotExist},
	} {
		_, err = u.Complete(t.Context(), parts, c.condition)
		require.ErrorIs(t, err, c.class, "%+v", c.condition)
	}
	require.NoError(t, u.Abort(t.Context()))
	require.Equal(t, "theirs", read(t, b, "key"))

	// What the suite cannot ask here: conditions of an upload that is there.
	u, parts = start()
	_, err = u.Complete(t.Context(), parts, backend.Condition{Absent: true})
	require.ErrorIs(t, err, fs.ErrExist)
	_, err = u.Complete(t.Context(), parts, backend.Condition{Match: "0x0"})
	require.ErrorIs(t, err, backend.ErrPrecondition)
	require.Equal(t, "theirs", read(t, b, "key"))
	_, err = u.Complete(t.Context(), parts, backend.Condition{Match: theirs.Tag})
	require.NoError(t, err)
	require.Equal(t, "mine", read(t, b, "key"))
}

// A part of which not all blocks arrived is none, and the one that was put last
// counts.
func TestOnlyWholePartsCount(t *testing.T) {
	b, proxy, _ := watched(t)
	u := begin(t, b, "key", backend.PartsOptions{PartSize: 20 << 20})
	large := strings.Repeat("x", 17<<20)
	blocks := 0
	proxy.Intercept(func(_ string, w http.ResponseWriter, r *http.Request, next http.Handler) {
		if r.URL.Query().Get("comp") == "block" {
			if blocks++; blocks == 3 {
				panic(http.ErrAbortHandler)
			}
		}
		next.ServeHTTP(w, r)
	})
	_, err := u.Put(t.Context(), 1, backend.Bytes([]byte(large)))
	require.ErrorIs(t, err, backend.ErrUnavailable)
	parts, err := u.Parts(t.Context())
	require.NoError(t, err)
	require.Empty(t, parts)
	small := putPart(t, u, 1, "small")
	blocks = 0
	_, err = u.Put(t.Context(), 1, backend.Bytes([]byte(large)))
	require.ErrorIs(t, err, backend.ErrUnavailable)
	parts, err = u.Parts(t.Context())
	require.NoError(t, err)
	require.Equal(t, []backend.Part{small}, parts)
	_, err = u.Complete(t.Context(), parts, backend.Condition{})
	require.NoError(t, err)
	require.Equal(t, "small", read(t, b, "key"))
}

func TestDamagedBodiesAreRefused(t *testing.T) {
	b, proxy, _ := watched(t)
	proxy.Intercept(func(_ string, w http.ResponseWriter, r *http.Request, next http.Handler) {
		if r.Method == http.MethodPut {
			r.Body = &damaged{ReadCloser: r.Body}
		}
		next.ServeHTTP(w, r)
	})
	for _, size := range []int{1000, 9 << 20} {
		_, err := b.Put(t.Context(), "key", backend.Bytes(bytes.Repeat([]byte("a"), size)), backend.PutOptions{})
		// Azurite says InvalidOperation; the service Md5Mismatch, see
		// TestAnswersHaveTheirClassAndAreAskedForOnce.
		require.ErrorContains(t, err, "contentMD5", size)
	}
	proxy.Intercept(nil)
	_, err := b.Stat(t.Context(), "key")
	require.ErrorIs(t, err, fs.ErrNotExist)
}

// damaged changes the first byte of a body.
type damaged struct {
	io.ReadCloser
	done bool
}

func (d *damaged) Read(p []byte) (int, error) {
	n, err := d.ReadCloser.Read(p)
	if n > 0 && !d.done {
		p[0], d.done = p[0]^1, true
	}
	return n, err
}

// sdk is a client of another program.
func sdk(t *testing.T, server *testutil.Server, name string) *container.Client {
	key, err := container.NewSharedKeyCredential(server.AccessKey, server.SecretKey)
	require.NoError(t, err)
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	options := &container.ClientOptions{}
	options.Transport = &http.Client{Transport: transport}
	client, err := container.NewClientWithSharedKeyCredential(server.BlobEndpoint()+"/"+name, key, options)
	require.NoError(t, err)
	return client
}

func TestASharedAccessSignatureSuffices(t *testing.T) {
	server := testutil.SharedAzurite(t)
	name := server.NewContainer(t)
	all := sas.ContainerPermissions{Read: true, Write: true, Create: true, Delete: true, List: true, Add: true}
	signed, err := sdk(t, server, name).GetSASURL(all, time.Now().Add(time.Hour), nil)
	require.NoError(t, err)
	_, token, _ := strings.Cut(signed, "?")
	b := drivertest.Open(t, azure.Driver, backend.Settings{"containerName": name, "accountName": server.AccessKey, "endpoint": server.BlobEndpoint(), "sasToken": token})
	put(t, b, "a b/c", "abc", backend.PutOptions{If: backend.Condition{Absent: true}})
	copier, _ := backend.As[backend.Copier](b)
	_, err = copier.Copy(t.Context(), "a b/c", "copy", backend.CopyOptions{})
	require.NoError(t, err)
	require.Equal(t, "abc", read(t, b, "copy"))
	require.NoError(t, b.Delete(t.Context(), "a b/c", backend.DeleteOptions{}))
}

func TestWrongKeysAreRefusedAccess(t *testing.T) {
	server := testutil.SharedAzurite(t)
	b := drivertest.Open(t, azure.Driver, drivertest.With(settings(server, server.NewContainer(t)), "accountKey", "d3Jvbmc="))
	_, err := b.Stat(t.Context(), "key")
	require.ErrorIs(t, err, fs.ErrPermission)
	require.ErrorContains(t, err, "accountKey")
	require.True(t, backend.Definite(err))
}

// The service asks for the signature of a source; Azurite does not.
func TestTheSourceOfACopyIsSigned(t *testing.T) {
	b, proxy, _ := watched(t)
	const key = "a b/é.txt"
	put(t, b, key, "abc", backend.PutOptions{})
	var source string
	proxy.Intercept(func(_ string, w http.ResponseWriter, r *http.Request, next http.Handler) {
		if from := r.Header.Get("X-Ms-Copy-Source"); from != "" {
			source = from
		}
		next.ServeHTTP(w, r)
	})
	copier, _ := backend.As[backend.Copier](b)
	_, err := copier.Copy(t.Context(), key, "to", backend.CopyOptions{})
	require.NoError(t, err)
	unsigned, signature, _ := strings.Cut(source, "?")
	require.NotEmpty(t, signature)
	for url, status := range map[string]int{source: 200, unsigned: 403} {
		transport := &http.Transport{}
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		require.NoError(t, err)
		res, err := transport.RoundTrip(req)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		transport.CloseIdleConnections()
		require.Equal(t, status, res.StatusCode, url)
	}
}

func TestMetadataOfOtherProgramsIsRead(t *testing.T) {
	server := testutil.SharedAzurite(t)
	name := server.NewContainer(t)
	blob := sdk(t, server, name).NewBlockBlobClient("key")
	_, err := blob.Upload(t.Context(), streaming.NopCloser(strings.NewReader("abc")), &blockblob.UploadOptions{
		Metadata: map[string]*string{"My_Name": to.Ptr("x"), "content_added": to.Ptr("y"), "mtime": to.Ptr("1700000000.5")},
	})
	require.NoError(t, err)
	o, err := drivertest.Open(t, azure.Driver, settings(server, name)).Stat(t.Context(), "key")
	require.NoError(t, err)
	require.Equal(t, map[string]string{"my_name": "x", "content_added": "y"}, o.Metadata.User)
	require.True(t, time.Unix(1700000000, 5e8).Equal(o.Metadata.ModTime))
}

func TestForeignBlocksOfAnotherLengthAreSaid(t *testing.T) {
	server := testutil.SharedAzurite(t)
	name := server.NewContainer(t)
	other := sdk(t, server, name).NewBlockBlobClient("key")
	_, err := other.StageBlock(t.Context(), base64.StdEncoding.EncodeToString([]byte("1")), streaming.NopCloser(strings.NewReader("x")), nil)
	require.NoError(t, err)
	b := drivertest.Open(t, azure.Driver, settings(server, name))
	uploader, _ := backend.As[backend.PartUploader](b)
	_, err = uploader.UploadParts(t.Context(), "key", backend.PartsOptions{PartSize: 10})
	require.ErrorIs(t, err, errors.ErrUnsupported)
	require.ErrorContains(t, err, "another program")
}

// The whole of an object that is written in blocks has its MD5 too.
func TestLargeObjectsAreVerifiedWhenTheyAreRead(t *testing.T) {
	b, proxy, _ := watched(t)
	put(t, b, "key", strings.Repeat("a", 9<<20), backend.PutOptions{})
	proxy.Intercept(func(_ string, w http.ResponseWriter, r *http.Request, next http.Handler) {
		next.ServeHTTP(&flipping{ResponseWriter: w}, r)
	})
	_, r, err := b.Open(context.WithoutCancel(t.Context()), "key", backend.OpenOptions{})
	require.NoError(t, err)
	_, err = io.Copy(io.Discard, r)
	require.ErrorIs(t, err, backend.ErrChecksum)
	require.NoError(t, r.Close())
}

// flipping changes the first byte of an answer.
type flipping struct {
	http.ResponseWriter
	done bool
}

func (f *flipping) Write(p []byte) (int, error) {
	if !f.done && len(p) > 0 {
		p = append([]byte{p[0] ^ 1}, p[1:]...)
		f.done = true
	}
	return f.ResponseWriter.Write(p)
}
