package gcs

import (
	"context"
	"errors"
	"io/fs"
	"testing"
	"testing/synctest"
	"time"

	"cloud.google.com/go/auth"
	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
)

// silent is a metadata server that answers while it is told to.
type silent struct{ answers bool }

func (s *silent) Token(ctx context.Context) (*auth.Token, error) {
	if s.answers {
		return &auth.Token{Value: "t"}, nil
	}
	<-ctx.Done()
	return nil, ctx.Err()
}

func TestAMachineThatGivesNoTokenIsNotWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &silent{}
		p := &machineToken{TokenProvider: server}
		get := func(ctx context.Context) error {
			_, err := p.Token(ctx)
			return (&Store{}).fail(ctx, "stat", "key", err)
		}
		begin := time.Now()
		err := get(t.Context())
		require.Equal(t, tokenTimeout, time.Since(begin))
		require.ErrorIs(t, err, fs.ErrPermission)
		require.NotErrorIs(t, err, context.DeadlineExceeded)
		require.False(t, backend.Retryable(err))

		server.answers = true
		require.NoError(t, get(t.Context()))
		server.answers = false
		require.True(t, backend.Retryable(get(t.Context())), "it gave one before, and will again")

		cancelled, cancel := context.WithCancel(t.Context())
		cancel()
		require.True(t, errors.Is(get(cancelled), context.Canceled))
	})
}
