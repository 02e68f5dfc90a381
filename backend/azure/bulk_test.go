package azure_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
)

func TestEachOfManyDeletionsHasItsOwnAnswer(t *testing.T) {
	b := newBatches(t)
	cases := []struct {
		d      backend.Deletion
		status int
		code   string
		class  error
	}{
		{backend.Deletion{Key: "a b/é&\"%41+?#.txt", IfMatch: "0x1"}, 202, "", nil},
		{backend.Deletion{Key: "moved", IfMatch: "0x2"}, 412, "ConditionNotMet", backend.ErrPrecondition},
		{backend.Deletion{Key: "absent"}, 404, "BlobNotFound", nil},
		{backend.Deletion{Key: "absent version", IfMatch: "0x3"}, 404, "BlobNotFound", fs.ErrNotExist},
		{backend.Deletion{Key: "container"}, 404, "ContainerNotFound", backend.ErrStoreNotFound},
		{backend.Deletion{Key: "no code"}, 404, "", backend.ErrUnavailable},
		{backend.Deletion{Key: "snapshots"}, 409, "SnapshotsPresent", errors.ErrUnsupported},
		{backend.Deletion{Key: "leased"}, 412, "LeaseIdMissing", fs.ErrPermission},
		{backend.Deletion{Key: "mine"}, 403, "AuthorizationPermissionMismatch", fs.ErrPermission},
		{backend.Deletion{Key: "busy"}, 503, "ServerBusy", backend.ErrThrottled},
		{backend.Deletion{Key: "slow"}, 500, "OperationTimedOut", backend.ErrUnavailable},
		{backend.Deletion{Key: "plain", IfMatch: "0x4"}, 202, "", nil},
	}
	// In another order, and with keys that are not sent among them.
	deletions := []backend.Deletion{{Key: ""}, {Key: "dot./x"}, {Key: "lines", IfMatch: "0x1\r\nx-ms-delete-snapshots: include"}}
	refused := len(deletions)
	var parts []string
	for i, c := range cases {
		deletions = append(deletions, c.d)
		parts = append([]string{one(i, c.status, c.code)}, parts...)
	}
	b.says(parts...)
	errs := b.DeleteMany(t.Context(), deletions)
	asked, n := b.sent()
	require.Equal(t, 1, n)
	require.Len(t, asked, len(cases))
	require.ErrorIs(t, errs[0], backend.ErrInvalidKey)
	require.ErrorIs(t, errs[1], backend.ErrInvalidKey)
	require.ErrorIs(t, errs[2], errors.ErrUnsupported)
	for i, c := range cases {
		r, err := asked[i], errs[refused+i]
		require.Equal(t, http.MethodDelete, r.Method)
		require.Equal(t, "/account/container/"+c.d.Key, r.URL.Path)
		want := ""
		if c.d.IfMatch != "" {
			want = `"` + string(c.d.IfMatch) + `"`
		}
		require.Equal(t, want, r.Header.Get("If-Match"), c.d.Key)
		require.Empty(t, r.URL.RawQuery)
		require.Empty(t, r.Header.Get("X-Ms-Delete-Snapshots"))
		require.Contains(t, r.Header.Get("Authorization"), "SharedKey account:")
		if c.class == nil {
			require.NoError(t, err, c.d.Key)
			continue
		}
		require.ErrorIs(t, err, c.class, c.d.Key)
		require.Equal(t, c.class == fs.ErrNotExist, errors.Is(err, fs.ErrNotExist), c.d.Key)
		require.Equal(t, c.class == backend.ErrPrecondition, errors.Is(err, backend.ErrPrecondition), c.d.Key)
		var carrier *backend.Error
		require.ErrorAs(t, err, &carrier)
		require.Equal(t, c.d.Key, carrier.Key)
		if c.code != "" {
			require.Equal(t, 7*time.Second, carrier.RetryAfter)
			require.ErrorContains(t, err, c.code)
		}
	}
}

// What is not known is neither done nor undone, and not asked for again in a
// batch.
func unknown(t *testing.T, err error, what string) {
	t.Helper()
	require.Error(t, err, what)
	require.False(t, backend.Definite(err) || backend.Retryable(err), "%s: %v", what, err)
	require.ErrorContains(t, err, `delete azblob "`, what)
}

func TestAnAnswerWithoutAPlaceIsNobodys(t *testing.T) {
	b := newBatches(t)
	abc := []backend.Deletion{{Key: "a"}, {Key: "b"}, {Key: "c"}}
	for name, nameless := range map[string]string{
		"gone": one(-1, 202, ""), "absent": one(-1, 404, "BlobNotFound"), "refused": one(-1, 403, "AuthorizationFailure"),
	} {
		b.says(one(0, 202, ""), nameless, one(2, 412, "ConditionNotMet"))
		errs := b.DeleteMany(t.Context(), abc)
		require.NoError(t, errs[0], name)
		unknown(t, errs[1], name)
		require.ErrorIs(t, errs[2], backend.ErrPrecondition, name)
	}
	b.says(one(0, 202, ""), one(1, 200, "")) // c is left out, and 200 is no deletion
	errs := b.DeleteMany(t.Context(), abc)
	require.NoError(t, errs[0])
	unknown(t, errs[1], "another status")
	unknown(t, errs[2], "left out")
	b.says(one(0, 202, ""), one(7, 202, ""), one(-1, 404, "BlobNotFound"))
	errs = b.DeleteMany(t.Context(), abc)
	require.NoError(t, errs[0])
	unknown(t, errs[1], "a place that there is not")
	b.says(one(-1, 202, ""))
	unknown(t, b.DeleteMany(t.Context(), abc[:1])[0], "alone")
}

func TestOnlyAWholeAnswerToABatchIsOne(t *testing.T) {
	b := newBatches(t)
	end := "--" + boundary + "--\r\n"
	for name, text := range map[string]string{
		"nothing":           "",
		"a page":            "<html>sign in</html>",
		"no end":            one(0, 202, "") + one(1, 202, ""),
		"cut":               one(0, 202, "") + one(1, 202, "")[:90],
		"cut in a body":     one(0, 202, "") + one(1, 409, "SnapshotsPresent")[:180],
		"no number":         one(0, 202, "") + strings.Replace(one(1, 202, ""), "ID: 1", "ID: b", 1) + end,
		"twice":             one(0, 202, "") + one(1, 202, "") + one(1, 404, "BlobNotFound") + end,
		"no status":         one(0, 202, "") + strings.Replace(one(1, 202, ""), "HTTP/1.1 202", "", 1) + end,
		"another boundary":  strings.ReplaceAll(one(0, 202, "")+one(1, 202, "")+end, boundary, "other"),
		"body of no length": one(0, 202, "") + strings.Replace(one(1, 404, "BlobNotFound"), "Content-Length: ", "Content-Length: 9", 1) + end,
	} {
		b.does(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusAccepted)
			_, _ = io.WriteString(w, text)
		})
		for i, err := range b.DeleteMany(t.Context(), []backend.Deletion{{Key: "key"}, {Key: "key", IfMatch: "0x1"}}) {
			require.ErrorIs(t, err, backend.ErrUnavailable, "%s, %d", name, i)
			require.False(t, backend.Definite(err), "%s: the outcome is not known: %v", name, err)
			require.ErrorContains(t, err, `delete azblob "key"`, name)
		}
		_, n := b.sent()
		require.Equal(t, 1, n, "%s: the engine retries", name)
	}
	// Wherever it is cut, up to the two characters that end it.
	whole := one(0, 202, "") + one(1, 412, "ConditionNotMet") + "--" + boundary + "--"
	for at := range len(whole) - 1 {
		b.does(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusAccepted)
			_, _ = io.WriteString(w, whole[:at])
		})
		for _, err := range b.DeleteMany(t.Context(), []backend.Deletion{{Key: "key"}, {Key: "key", IfMatch: "0x1"}}) {
			require.ErrorIs(t, err, backend.ErrUnavailable, whole[:at])
		}
	}
	b.does(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		w.WriteHeader(http.StatusAccepted)
	})
	require.ErrorIs(t, b.DeleteMany(t.Context(), []backend.Deletion{{Key: "key"}})[0], backend.ErrUnavailable)
}

// A batch is refused by its own status, or by one part for all.
func TestARefusalOfTheWholeBatchIsOfNoObject(t *testing.T) {
	b := newBatches(t)
	for _, c := range []struct {
		status int
		code   string
		class  error // nil: not known
	}{
		{404, "BlobNotFound", nil},
		{412, "ConditionNotMet", nil},
		{400, "InvalidInput", nil},
		{409, "FeatureNotSupportedForAccount", nil},
		{404, "ContainerNotFound", backend.ErrStoreNotFound},
		{403, "AuthorizationPermissionMismatch", fs.ErrPermission},
		{413, "RequestBodyTooLarge", backend.ErrTooLarge},
		{503, "ServerBusy", backend.ErrThrottled},
		{500, "OperationTimedOut", backend.ErrUnavailable},
		{405, "", errors.ErrUnsupported},
	} {
		for name, answer := range map[string]func(){
			"by itself": func() { b.does(func(w http.ResponseWriter, _ *http.Request) { refusal(w, c.status, c.code) }) },
			"in a part": func() { b.says(one(-1, c.status, c.code)) },
		} {
			answer()
			for i, err := range b.DeleteMany(t.Context(), []backend.Deletion{{Key: "key"}, {Key: "key", IfMatch: "0x1"}}) {
				name := fmt.Sprintf("%s, %d: %d %s", name, i, c.status, c.code)
				require.NotErrorIs(t, err, fs.ErrNotExist, name)
				require.NotErrorIs(t, err, backend.ErrPrecondition, name)
				require.ErrorContains(t, err, c.code, name)
				if c.class == nil {
					unknown(t, err, name)
					continue
				}
				require.ErrorIs(t, err, c.class, name)
				require.ErrorContains(t, err, `delete azblob "key"`, name)
			}
			_, n := b.sent()
			require.Equal(t, 1, n)
		}
	}
}

func TestABatchIsBoundedByNumberAndSize(t *testing.T) {
	// An absurd signature, which goes with each deletion.
	b := newBatches(t, "accountKey", "", "sasToken", "sv=1&sig="+strings.Repeat("c2lnbmVk", 2100))
	deletions := make([]backend.Deletion, 256)
	for i := range deletions {
		deletions[i].Key = fmt.Sprint("key", i)
	}
	b.says()
	for _, err := range b.DeleteMany(t.Context(), deletions) {
		require.ErrorIs(t, err, errors.ErrUnsupported)
		require.NotContains(t, err.Error(), "c2lnbmVk")
	}
	_, n := b.sent()
	require.Zero(t, n)
	for _, err := range newBatches(t).DeleteMany(t.Context(), append(deletions, backend.Deletion{Key: "one more"})) {
		require.ErrorIs(t, err, errors.ErrUnsupported)
	}
	// The longest keys there are fit.
	b = newBatches(t, "accountKey", "", "sasToken", "sv=1&sig="+strings.Repeat("c2lnbmVk", 100))
	for i := range deletions {
		deletions[i] = backend.Deletion{Key: strings.Repeat("（", 1021) + fmt.Sprintf("%03d", i), IfMatch: "0x8DD0123456789AB"}
	}
	b.says()
	unknown(t, b.DeleteMany(t.Context(), deletions)[0], "sent")
	asked, _ := b.sent()
	require.Len(t, asked, len(deletions))
}

func TestBatchesShowNoSecretAndUseAConnectionAgain(t *testing.T) {
	const signature = "?sv=2025-11-05&sig=c2lnbmVk"
	for _, extra := range [][]string{{}, {"accountKey", "", "sasToken", signature}} {
		b := newBatches(t, extra...)
		shown := ""
		for range 5 {
			b.says(one(0, 403, "AuthenticationFailed"), one(1, 202, ""))
			shown += fmt.Sprintf("%+v", b.DeleteMany(t.Context(), []backend.Deletion{{Key: "a"}, {Key: "b"}}))
			b.says(one(-1, 403, "AuthenticationFailed"))
			shown += fmt.Sprintf("%+v", b.DeleteMany(t.Context(), []backend.Deletion{{Key: "a"}}))
		}
		require.EqualValues(t, 1, b.connections.Load())
		if len(extra) > 0 {
			asked, _ := b.sent()
			require.Equal(t, "c2lnbmVk", asked[0].URL.Query().Get("sig"), "each deletion is signed")
		}
		b.does(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
		err := b.DeleteMany(t.Context(), []backend.Deletion{{Key: "a"}})[0]
		require.ErrorIs(t, err, backend.ErrUnavailable)
		shown += err.Error()
		for _, secret := range []string{fakeKey, "c2lnbmVk", "sig=", "SharedKey"} {
			require.NotContains(t, shown, secret)
		}
	}
}

func TestABatchEndsWithItsContext(t *testing.T) {
	b := newBatches(t)
	ctx, cancel := context.WithCancel(t.Context())
	b.does(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusAccepted)
		_, _ = io.WriteString(w, one(0, 202, ""))
		_ = http.NewResponseController(w).Flush()
		cancel()
		<-r.Context().Done()
	})
	for _, err := range b.DeleteMany(ctx, []backend.Deletion{{Key: "key"}, {Key: "key"}}) {
		require.ErrorIs(t, err, context.Canceled)
		require.False(t, backend.Definite(err))
	}
}
