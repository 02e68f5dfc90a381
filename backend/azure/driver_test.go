package azure

import (
	"context"
	"errors"
	"io/fs"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
)

func TestFaultySettingsAreNamed(t *testing.T) {
	for name, c := range map[string]struct {
		settings map[string]string
		names    string
	}{
		"no account":         {map[string]string{"containerName": "abc"}, "accountName"},
		"no container":       {map[string]string{"accountName": "abc"}, "containerName"},
		"container":          {map[string]string{"accountName": "abc", "containerName": "ABC"}, "lower-case"},
		"account":            {map[string]string{"accountName": "a-b", "containerName": "abc"}, "accountName"},
		"key":                {map[string]string{"accountName": "abc", "containerName": "abc", "accountKey": "hidden!"}, "accountKey"},
		"signature":          {map[string]string{"accountName": "abc", "containerName": "abc", "sasToken": "hidden"}, "sasToken"},
		"key and signature":  {map[string]string{"accountName": "abc", "containerName": "abc", "accountKey": "aGlkZGVu", "sasToken": "sig=hidden"}, "exclude"},
		"endpoint":           {map[string]string{"accountName": "abc", "containerName": "abc", "endpoint": "ftp://host"}, "endpoint"},
		"signature there":    {map[string]string{"accountName": "abc", "containerName": "abc", "endpoint": "https://host?sig=x"}, "credentials"},
		"identity over http": {map[string]string{"accountName": "abc", "containerName": "abc", "endpoint": "http://host"}, "https"},
		"tier":               {map[string]string{"accountName": "abc", "containerName": "abc", "tier": "Warm"}, "Hot, Cool, Cold, Archive"},
	} {
		s, err := Driver.Schema().Resolve(c.settings)
		if err == nil {
			_, err = Driver.Open(t.Context(), s)
		}
		require.ErrorContains(t, err, c.names, name)
		require.NotContains(t, err.Error(), "hidden", name)
	}
}

func TestLocationIsOneSpellingOfAPlace(t *testing.T) {
	location := func(endpoint string) string {
		b, err := Driver.Open(t.Context(), backend.Settings{"accountName": "account", "containerName": "data", "accountKey": "YQ==", "endpoint": endpoint})
		require.NoError(t, err)
		defer b.Close()
		return b.Properties().Location
	}
	const azure = "azblob://account.blob.core.windows.net/data"
	for _, endpoint := range []string{"", "https://account.blob.core.windows.net", "https://Account.blob.core.windows.net:443/"} {
		require.Equal(t, azure, location(endpoint))
	}
	require.Equal(t, "azblob://127.0.0.1:10000/account/data", location("http://127.0.0.1:10000/account"))
}

type chain struct{ err error }

func (c chain) GetToken(ctx context.Context, _ policy.TokenRequestOptions) (azcore.AccessToken, error) {
	if ctx.Err() != nil {
		return azcore.AccessToken{}, ctx.Err()
	}
	return azcore.AccessToken{Token: "t"}, c.err
}

func TestAMissingIdentityIsRefusedAccess(t *testing.T) {
	get := func(ctx context.Context, err error) error {
		_, _, err = identity{chain{err}}.source(ctx, nil)
		return failed(ctx, "copy", "key", err)
	}
	err := get(t.Context(), errors.Join(errors.New("no link\nof the chain"), context.DeadlineExceeded))
	require.ErrorIs(t, err, fs.ErrPermission)
	require.NotErrorIs(t, err, context.DeadlineExceeded, "a timeout in the chain is not the caller's")
	require.ErrorContains(t, err, "accountKey")
	require.True(t, backend.Definite(err))
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, get(cancelled, nil), context.Canceled)
}
