package azure

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
)

// chained is a chain of identities that has this to say.
type chained struct {
	token string
	err   error
}

func (c chained) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: c.token, ExpiresOn: time.Now().Add(time.Hour)}, c.err
}

// Azurite takes no tokens, and they want TLS.
func TestABatchOfAnIdentityHasItsTokenInEachDeletion(t *testing.T) {
	var sent []byte
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sent, _ = io.ReadAll(r.Body)
		w.WriteHeader(http.StatusForbidden)
	}))
	defer server.Close()
	try := func(c chained) error {
		client, err := container.NewClient(server.URL+"/container", identity{c}, &container.ClientOptions{ClientOptions: policy.ClientOptions{
			Transport: server.Client(), Retry: policy.RetryOptions{MaxRetries: -1}, PerCallPolicies: []policy.Policy{batchReader{}},
		}})
		require.NoError(t, err)
		errs := (&Store{container: client}).DeleteMany(t.Context(), []backend.Deletion{{Key: "key"}, {Key: "key"}})
		require.Equal(t, errs[0].Error(), errs[1].Error())
		require.ErrorContains(t, errs[0], `delete azblob "key"`)
		return errs[0]
	}
	err := try(chained{token: "c2VjcmV0"})
	require.ErrorIs(t, err, fs.ErrPermission)
	require.NotContains(t, err.Error(), "c2VjcmV0")
	require.Equal(t, 2, bytes.Count(sent, []byte("Authorization: Bearer c2VjcmV0\r\n")))

	sent = nil
	err = try(chained{err: errors.New("nobody has signed in")})
	require.ErrorIs(t, err, fs.ErrPermission)
	require.ErrorContains(t, err, "set accountKey or sasToken, or sign in")
	require.True(t, backend.Definite(err), "nothing was sent")
	require.Nil(t, sent)
}
