package gcs

import (
	"context"
	"fmt"
	"io/fs"
	"sync/atomic"
	"time"

	"cloud.google.com/go/auth"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/internal/answer"
)

// tokenTimeout bounds the wait for a token of a cloud machine. Where there is
// no such machine nobody may answer, and the SDK asks for half a minute.
const tokenTimeout = 10 * time.Second

// A machineToken gets tokens from the metadata server of a cloud machine. One
// that has never given any is taken for absent, so that nobody waits for it.
type machineToken struct {
	auth.TokenProvider
	given atomic.Bool
}

// Token implements auth.TokenProvider.
func (p *machineToken) Token(ctx context.Context) (*auth.Token, error) {
	bounded, cancel := context.WithTimeout(ctx, tokenTimeout)
	defer cancel()
	token, err := p.TokenProvider.Token(bounded)
	switch {
	case err == nil:
		p.given.Store(true)
		return token, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	}
	class := backend.ErrUnavailable
	if !p.given.Load() {
		class = fs.ErrPermission
	}
	// The text alone: a timeout here is not that of the caller.
	return nil, &tokenError{fmt.Errorf("%w: no credentials: the machine's metadata server gives none: %s", class, answer.Text(err))}
}

// A tokenError is why there is no token. Nothing was sent to the store.
type tokenError struct{ err error }

func (e *tokenError) Error() string { return e.err.Error() }
func (e *tokenError) Unwrap() error { return e.err }
