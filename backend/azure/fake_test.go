package azure_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/azure"
	"github.com/objrepl/replication/backend/internal/drivertest"
)

const fakeKey = "dmVyeSBzZWNyZXQgaW5kZWVk"

// fake is a server that answers as it is told and notes what it was asked.
type fake struct {
	backend.Backend
	mu     sync.Mutex
	answer http.HandlerFunc // guarded by mu
	asked  []*http.Request  // guarded by mu
}

func newFake(t *testing.T, extra ...string) *fake {
	f := &fake{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		f.mu.Lock()
		f.asked = append(f.asked, r)
		answer := f.answer
		f.mu.Unlock()
		answer(w, r)
	}))
	t.Cleanup(server.Close)
	s := backend.Settings{"containerName": "container", "accountName": "account", "accountKey": fakeKey, "endpoint": server.URL + "/account"}
	for i := 0; i < len(extra); i += 2 {
		s[extra[i]] = extra[i+1]
	}
	f.Backend = drivertest.Open(t, azure.Driver, s)
	return f
}

func (f *fake) answers(h http.HandlerFunc) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answer, f.asked = h, nil
}

func (f *fake) requests() []*http.Request {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.asked
}

func refusal(w http.ResponseWriter, status int, code string) {
	w.Header().Set("X-Ms-Error-Code", code)
	w.Header().Set("Retry-After", "7")
	w.WriteHeader(status)
	fmt.Fprintf(w, "<?xml version=\"1.0\"?><Error><Code>%s</Code><Message>No.\nRequestId:1</Message></Error>", code)
}

// every calls each operation on one key.
func (f *fake) every(t *testing.T) map[string]error { return everyError(t.Context(), f.Backend) }

func everyError(ctx context.Context, b backend.Backend) map[string]error {
	out := map[string]error{}
	_, out["stat"] = b.Stat(ctx, "key")
	_, _, out["open"] = b.Open(ctx, "key", backend.OpenOptions{})
	_, out["put"] = b.Put(ctx, "key", backend.Bytes([]byte("x")), backend.PutOptions{})
	out["delete"] = b.Delete(ctx, "key", backend.DeleteOptions{IfMatch: "0x1"})
	for _, err := range b.List(ctx, backend.ListOptions{}) {
		out["list"] = err
	}
	uploader, _ := backend.As[backend.PartUploader](b)
	_, out["upload"] = uploader.UploadParts(ctx, "key", backend.PartsOptions{PartSize: 1})
	return out
}

func TestAnswersHaveTheirClassAndAreAskedForOnce(t *testing.T) {
	f := newFake(t)
	for _, c := range []struct {
		status int
		code   string
		class  error
	}{
		{404, "BlobNotFound", fs.ErrNotExist},
		{404, "ContainerNotFound", backend.ErrStoreNotFound},
		{404, "ResourceNotFound", backend.ErrUnavailable},
		{404, "", backend.ErrUnavailable},
		{409, "BlobAlreadyExists", fs.ErrExist},
		{409, "SnapshotsPresent", errors.ErrUnsupported},
		{412, "ConditionNotMet", backend.ErrPrecondition},
		{412, "LeaseIdMissing", fs.ErrPermission},
		{403, "AuthenticationFailed", fs.ErrPermission},
		{403, "", fs.ErrPermission},
		{400, "Md5Mismatch", backend.ErrChecksum},
		{503, "ServerBusy", backend.ErrThrottled},
		{429, "TooManyRequests", backend.ErrThrottled},
		{500, "InternalError", backend.ErrUnavailable},
		{500, "OperationTimedOut", backend.ErrUnavailable},
		{502, "", backend.ErrUnavailable},
	} {
		f.answers(func(w http.ResponseWriter, r *http.Request) { refusal(w, c.status, c.code) })
		failures := f.every(t)
		require.Len(t, f.requests(), len(failures), "%d %s", c.status, c.code)
		for op, err := range failures {
			name := fmt.Sprintf("%s: %d %s: %v", op, c.status, c.code, err)
			if op == "delete" && c.class == fs.ErrNotExist {
				continue
			}
			require.ErrorIs(t, err, c.class, name)
			require.Equal(t, c.class == fs.ErrNotExist, errors.Is(err, fs.ErrNotExist), name)
			require.Equal(t, c.class == backend.ErrPrecondition, errors.Is(err, backend.ErrPrecondition), name)
			require.NotContains(t, err.Error(), "\n")
			var carrier *backend.Error
			require.ErrorAs(t, err, &carrier, name)
			require.Equal(t, 7*time.Second, carrier.RetryAfter, name)
		}
	}
}

func TestSecretsAreNeverShown(t *testing.T) {
	for _, extra := range [][]string{{}, {"accountKey", "", "sasToken", "?sv=2025-11-05&sig=c2lnbmVk"}} {
		f := newFake(t, extra...)
		f.answers(func(w http.ResponseWriter, r *http.Request) { refusal(w, 403, "AuthenticationFailed") })
		shown := fmt.Sprintf("%v %+v %#v %s", f.Backend, f.Backend, f.Backend, f.Properties().Location)
		for _, err := range f.every(t) {
			shown += fmt.Sprintf("%v %+v", err, err)
		}
		f.answers(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
		for _, err := range f.every(t) {
			require.ErrorIs(t, err, backend.ErrUnavailable)
			shown += fmt.Sprintf("%v %+v", err, err)
		}
		for _, secret := range []string{fakeKey, "c2lnbmVk", "sig=", "SharedKey"} {
			require.NotContains(t, shown, secret)
		}
	}
}

func listing(marker string, entries ...string) string {
	return `<?xml version="1.0"?><EnumerationResults ServiceEndpoint="http://x/" ContainerName="container"><Blobs>` +
		strings.Join(entries, "") + "</Blobs><NextMarker>" + marker + "</NextMarker></EnumerationResults>"
}

func entry(key, more string) string {
	return "<Blob><Name>" + key + "</Name><Properties><Etag>0x8D" + key + "</Etag><Content-Length>1</Content-Length>" + more + "</Properties></Blob>"
}

func TestOnlyAListingIsAListing(t *testing.T) {
	f := newFake(t)
	list := func() (keys []string, err error) {
		for page, err := range f.List(t.Context(), backend.ListOptions{}) {
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
		"",
		"<html><body>sign in</body></html>",
		"<EnumerationResults></EnumerationResults>",
		`<EnumerationResults ServiceEndpoint="http://x/"><Blobs>`,
		`<EnumerationResults ServiceEndpoint="http://x/"><Blobs></Blobs></EnumerationResults>`,
		listing("", entry("b", ""), entry("a", "")),
		listing("", entry("a", ""), entry("a", "")),
		listing("", "<Blob><Name>a</Name></Blob>"),
		listing("", entry("dir", "<ResourceType>directory</ResourceType>")),
	} {
		f.answers(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, wrong) })
		_, err := list()
		require.Error(t, err, wrong)
		require.NotErrorIs(t, err, fs.ErrNotExist, wrong)
	}
	f.answers(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Query().Get("marker") {
		case "":
			_, _ = io.WriteString(w, listing("m1", entry("a", ""), entry("b", "")))
		case "m1":
			_, _ = io.WriteString(w, listing("m2"))
		case "m2":
			_, _ = io.WriteString(w, listing("", entry("c", "")))
		}
	})
	keys, err := list()
	require.NoError(t, err)
	require.Equal(t, []string{"a", "b", "c"}, keys, "an empty page is not the end")
	require.Len(t, f.requests(), 3)
}

func TestBrokenBodiesAreReported(t *testing.T) {
	f := newFake(t)
	read := func() error {
		_, r, err := f.Open(t.Context(), "key", backend.OpenOptions{})
		require.NoError(t, err)
		defer r.Close()
		_, err = io.ReadAll(r)
		return err
	}
	f.answers(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("ETag", `"0x1"`)
		w.Header().Set("Content-Length", "1000")
		_, _ = io.WriteString(w, "the beginning")
	})
	err := read()
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.True(t, backend.Retryable(err))
	f.answers(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("ETag", `"0x1"`)
		w.Header().Set("Content-MD5", "1B2M2Y8AsgTpgAmY7PhCfg==")
		_, _ = io.WriteString(w, "something else")
	})
	require.ErrorIs(t, read(), backend.ErrChecksum)
}

// What Azurite does not keep is looked at on the wire.
func TestScopeAndTierGoWithEveryWrite(t *testing.T) {
	f := newFake(t, "encryptionScope", "vault", "tier", "Cool")
	f.answers(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"0x1"`)
		w.WriteHeader(http.StatusCreated)
	})
	large := backend.Bytes(make([]byte, 9<<20))
	for name, body := range map[string]backend.Body{"small": backend.Bytes([]byte("x")), "large": large} {
		_, err := f.Put(t.Context(), name, body, backend.PutOptions{})
		require.NoError(t, err)
	}
	require.Len(t, f.requests(), 4)
	for _, r := range f.requests() {
		require.Equal(t, "vault", r.Header.Get("X-Ms-Encryption-Scope"), r.URL)
		tier := "Cool"
		if r.URL.Query().Get("comp") == "block" {
			tier = ""
		}
		require.Equal(t, tier, r.Header.Get("X-Ms-Access-Tier"), r.URL)
	}
}

// Azurite has no blocks from URL.
func TestACopyTooLargeForOneRequestGoesInBlocks(t *testing.T) {
	const size = 600 << 20
	f := newFake(t, "encryptionScope", "vault", "tier", "Cool")
	f.answers(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"0x1"`)
		switch {
		case r.Method == http.MethodHead:
			w.Header().Set("Content-Length", fmt.Sprint(size))
			w.Header().Set("Content-Language", "en")
			w.Header().Set("X-Ms-Meta-objrepl_2dmarker", "1")
		case r.URL.Query().Get("comp") == "":
			refusal(w, 409, "CannotVerifyCopySource")
		default:
			w.WriteHeader(http.StatusCreated)
		}
	})
	copier, _ := backend.As[backend.Copier](f.Backend)
	o, err := copier.Copy(t.Context(), "from", "to", backend.CopyOptions{FromMatch: "0x1", If: backend.Condition{Absent: true}})
	require.NoError(t, err)
	require.Equal(t, backend.Object{Key: "to", Size: size, Tag: "0x1"}, o)
	var ranges []string
	for i, r := range f.requests() {
		switch comp := r.URL.Query().Get("comp"); {
		case i == 0:
			require.Equal(t, "*", r.Header.Get("If-None-Match"))
			require.Equal(t, `"0x1"`, r.Header.Get("X-Ms-Source-If-Match"))
		case comp == "block":
			require.Equal(t, `"0x1"`, r.Header.Get("X-Ms-Source-If-Match"), "each block is of the same version")
			require.Contains(t, r.Header.Get("X-Ms-Copy-Source"), "/from?")
			require.Equal(t, "vault", r.Header.Get("X-Ms-Encryption-Scope"))
			ranges = append(ranges, r.Header.Get("X-Ms-Source-Range"))
		case comp == "blocklist":
			require.Equal(t, "*", r.Header.Get("If-None-Match"))
			require.Equal(t, "en", r.Header.Get("X-Ms-Blob-Content-Language"))
			require.Equal(t, "1", r.Header.Get("X-Ms-Meta-objrepl_2dmarker"))
			require.Equal(t, "Cool", r.Header.Get("X-Ms-Access-Tier"))
			require.Equal(t, "vault", r.Header.Get("X-Ms-Encryption-Scope"))
		}
	}
	require.Equal(t, []string{"bytes=0-268435455", "bytes=268435456-536870911", "bytes=536870912-629145599"}, ranges)
	require.Len(t, f.requests(), 6)

	// The source has changed since it was listed.
	_, err = copier.Copy(t.Context(), "from", "to", backend.CopyOptions{FromMatch: "0x0"})
	require.ErrorIs(t, err, backend.ErrPrecondition)
}

// An account of another kind has no tiers, or not this one, whatever the object.
func TestATierThatTheAccountLacksIsTold(t *testing.T) {
	for _, code := range []string{"InvalidBlobTier", "BlobAccessTierNotSupportedForAccountType"} {
		f := newFake(t)
		f.answers(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Ms-Error-Code", code)
			w.WriteHeader(http.StatusBadRequest)
		})
		_, err := f.Put(t.Context(), "k", backend.Bytes([]byte("x")), backend.PutOptions{Class: "Cool"})
		require.ErrorIs(t, err, backend.ErrInvalidClass)
		require.ErrorIs(t, err, backend.ErrInvalidMetadata)
		require.ErrorContains(t, err, "; check tier")
	}
}
