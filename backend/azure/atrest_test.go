package azure_test

import (
	"io/fs"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/azure"
	"github.com/objrepl/replication/backend/internal/drivertest"
	"github.com/objrepl/replication/internal/testutil"
)

// Azurite takes these headers and keeps nothing of them; they are looked at on
// their way.
func TestScopeAndTierGoWithPartsAndCopies(t *testing.T) {
	server := testutil.SharedAzurite(t)
	proxy := testutil.CountingProxy(t, server.Endpoint)
	s := drivertest.With(settings(server, server.NewContainer(t)), "endpoint", proxy.URL+"/"+server.AccessKey)
	b := drivertest.Open(t, azure.Driver, drivertest.With(drivertest.With(s, "encryptionScope", "vault"), "tier", "Cool"))
	var mu sync.Mutex
	scopes, tiers := map[string]string{}, map[string]string{}
	proxy.Intercept(func(_ string, w http.ResponseWriter, r *http.Request, next http.Handler) {
		if r.Method == http.MethodPut {
			what := strings.TrimSpace("put " + r.URL.Query().Get("comp"))
			if r.Header.Get("X-Ms-Copy-Source") != "" {
				what = "copy"
			}
			mu.Lock()
			scopes[what], tiers[what] = r.Header.Get("X-Ms-Encryption-Scope"), r.Header.Get("X-Ms-Access-Tier")
			mu.Unlock()
		}
		next.ServeHTTP(w, r)
	})
	put(t, b, "from", "abc", backend.PutOptions{})
	copier, _ := backend.As[backend.Copier](b)
	_, err := copier.Copy(t.Context(), "from", "to", backend.CopyOptions{})
	require.NoError(t, err)
	u := begin(t, b, "parts", backend.PartsOptions{PartSize: 10})
	_, err = u.Complete(t.Context(), []backend.Part{putPart(t, u, 1, "abc")}, backend.Condition{})
	require.NoError(t, err)
	require.Equal(t, map[string]string{"put": "vault", "copy": "vault", "put block": "vault", "put blocklist": "vault"}, scopes)
	require.Equal(t, map[string]string{"put": "Cool", "copy": "Cool", "put block": "", "put blocklist": "Cool"}, tiers)
}

func TestAScopeThatCannotBeUsedIsNamed(t *testing.T) {
	f := newFake(t, "encryptionScope", "vault")
	f.answers(func(w http.ResponseWriter, _ *http.Request) { refusal(w, 404, "EncryptionScopeNotFound") })
	for op, err := range f.every(t) {
		require.ErrorIs(t, err, fs.ErrPermission, op)
		require.NotErrorIs(t, err, fs.ErrNotExist, op)
		require.ErrorContains(t, err, "encryptionScope", op)
	}
}
