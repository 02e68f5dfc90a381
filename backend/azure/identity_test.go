package azure

import (
	"context"
	"io/fs"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
)

// silent is a chain whose last link nobody answers.
type silent struct{}

func (silent) GetToken(ctx context.Context, _ policy.TokenRequestOptions) (azcore.AccessToken, error) {
	<-ctx.Done()
	return azcore.AccessToken{}, ctx.Err()
}

func TestAnAbsentIdentityIsNotWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		_, _, err := identity{silent{}}.source(t.Context(), nil)
		err = failed(t.Context(), "stat", "key", err)
		require.Equal(t, tokenTimeout, time.Since(begin))
		require.ErrorIs(t, err, fs.ErrPermission)
		require.ErrorContains(t, err, "set accountKey or sasToken, or sign in")
		require.NotErrorIs(t, err, context.DeadlineExceeded, "a timeout in the chain is not the caller's")
		require.False(t, backend.Retryable(err))
	})
}
