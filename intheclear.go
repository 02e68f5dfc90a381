package replication

import (
	"context"
	"errors"
	"fmt"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/internal/ledger"
)

// A store that does not encrypt although its settings ask for it is found out by
// the first object that it has taken. No other follows, but that one lies there in
// the clear.
//
// Where there was nothing before it is removed again. What took the place of
// another version stays: it is all that the destination has of the object, and the
// source may be lost before somebody puts the settings right; the version before
// lay on the same store, which had not been asked or did not encrypt it either.

// inTheClear is the outcome of the copy of an object that ended with
// ErrNotEncrypted. Tag is that of what was written, empty where nothing was.
//
// What stays is the policy's own, but no copy of any version: the ledger has it
// under none, so that the next pass writes it anew, by settings that hold.
func (p *pass) inTheClear(ctx context.Context, key string, tag backend.Tag, expect backend.Condition, cause error) outcome {
	if tag == "" {
		return failed(p.destination.wrap(cause))
	}
	what := "the copy in the clear stays, since it took the place of another version"
	if expect.Absent {
		err := p.takeBack(ctx, p.destination.key(key), tag)
		if err == nil {
			return failed(p.destination.wrap(fmt.Errorf("the copy in the clear is gone again: %w", cause)))
		}
		what = fmt.Sprintf("the copy in the clear could not be removed (%v)", err)
	}
	p.log.Warn("an object lies in the clear at the destination, although its settings ask for encryption", "policy", p.policy.ID, "key", p.destination.key(key), "what", what)
	out := failed(p.destination.wrap(fmt.Errorf("%s: %w", what, cause)))
	out.entry = &ledger.Entry{Key: key, DestinationTag: string(tag)}
	return out
}

// takeBack deletes what this pass has just written in the clear, by the tag that
// the answer named, and nothing that somebody else has put in its place. It goes on
// when the pass is stopped, as another worker may have found out too.
func (p *pass) takeBack(ctx context.Context, key string, tag backend.Tag) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanTime)
	defer cancel()
	err := p.again.call(ctx, func() error { return p.deleteTag(ctx, key, tag) })
	if err == nil || absent(err) || errors.Is(err, backend.ErrPrecondition) || p.goneAnyway(ctx, key, err) {
		return nil
	}
	return err
}
