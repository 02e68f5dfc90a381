package replication

import (
	"context"
	"errors"
	"fmt"

	"github.com/objrepl/replication/backend"
)

// A removal is the work of deleting one object at the destination.
type removal struct {
	keptDeletion
	trashed string // the key of its copy in the trash, once that is acknowledged
}

func (r *removal) tag() backend.Tag { return backend.Tag(r.Tag) }

func (r *removal) decision() decision {
	d := decision{verdict: verdictDelete, key: r.Key}
	d.destination.Tag, d.entry.DestinationTag = r.tag(), r.LedgerTag
	return d
}

// removeSingly does a removal, through an outage if need be, and counts it.
func (p *pass) removeSingly(ctx context.Context, r *removal) outcome {
	out := p.settle(ctx, func() outcome { return p.remove(ctx, r) })
	out.trashed = r.trashed
	if out.err != nil && r.Tag != r.LedgerTag && p.within.intents.any() {
		p.doubt.stays.Store(true) // the next pass has to know it for ours once more
	}
	return p.finishOne(ctx, r.decision(), out)
}

// remove deletes one object at the destination that is gone from the source,
// and then looks at the source once more.
func (p *pass) remove(ctx context.Context, k *removal) outcome {
	tag := k.tag()
	key := p.destination.key(k.Key)
	if k.Tag != k.LedgerTag {
		ours, err := p.stillOurs(ctx, key, tag)
		switch {
		case err != nil:
			return failed(p.destination.wrap(err))
		case !ours && tag == "":
			return outcome{} // it could not be looked at before; the next pass settles it
		case !ours:
			p.log.Warn("an object that is gone from the source was replaced at the destination by somebody else, and stays",
				"policy", p.policy.ID, "key", key)
			return outcome{forget: true}
		}
		// The object may be newer than the listing that the key was absent
		// from, and so may its source.
		err = p.again.call(ctx, func() error {
			_, err := p.source.Stat(ctx, p.source.key(k.Key))
			return err
		})
		switch {
		case err == nil:
			return outcome{} // the next pass settles it
		case !absent(err):
			return failed(p.source.wrap(err))
		}
	}
	// The copy is there before the object goes, never the other way round.
	switch err := p.toTrash(ctx, k); {
	case absent(err):
		return p.lookAfterDelete(ctx, k.Key)
	case errors.Is(err, backend.ErrPrecondition):
		return failed(errMovedBeforeDeletion)
	case err != nil:
		return failed(p.destination.wrap(fmt.Errorf("move to the trash under trash_prefix %q: %w", p.policy.TrashPrefix, err)))
	}
	err := p.again.call(ctx, func() error { return p.deleteTag(ctx, key, tag) })
	switch {
	case err == nil, absent(err), p.goneAnyway(ctx, key, err):
		return p.lookAfterDelete(ctx, k.Key)
	case errors.Is(err, backend.ErrPrecondition):
		return failed(errMovedBeforeDeletion)
	}
	return failed(p.destination.wrap(err))
}

var errMovedBeforeDeletion = fmt.Errorf("%w between listing and deletion; it was left alone, and the next pass looks again", ErrDrift)

// goneAnyway looks whether an object is gone although its deletion failed: the
// answer of an attempt was lost, and the next one found nothing to delete.
func (p *pass) goneAnyway(ctx context.Context, key string, err error) bool {
	if backend.Definite(err) && !errors.Is(err, backend.ErrPrecondition) {
		return false
	}
	return absent(p.again.call(ctx, func() error {
		_, err := p.destination.Stat(ctx, key)
		return err
	}))
}

// stillOurs reports whether the destination's version with this tag may be
// deleted although the ledger names another: our own write from a pass that
// was cut short, or drift that the policy has overwritten.
func (p *pass) stillOurs(ctx context.Context, key string, tag backend.Tag) (bool, error) {
	var there backend.Object
	err := p.again.call(ctx, func() (err error) {
		there, err = p.destination.Stat(ctx, key)
		return err
	})
	if absent(err) {
		return true, nil // and then deleting it does nothing
	}
	if err != nil {
		return false, err
	}
	_, ours, err := p.ownMarker(ctx, there)
	return there.Tag == tag && (ours || p.policy.Drift == Overwrite), err
}

// deleteTag deletes the version with this tag and no other, as exactly as the
// store can.
func (p *pass) deleteTag(ctx context.Context, key string, tag backend.Tag) error {
	guard, expect := p.guards.objects(ctx).delete, backend.Condition{Match: tag}
	if err := p.destination.look(ctx, key, guard, expect); err != nil {
		return err
	}
	return p.destination.Delete(ctx, key, backend.DeleteOptions{IfMatch: guard.sends(expect).Match})
}

// lookAfterDelete asks the source once more: an object that came back while
// its copy was being deleted is copied again at once, since a later listing of
// the source would not tell it from one that was there all along.
func (p *pass) lookAfterDelete(ctx context.Context, key string) outcome {
	gone := outcome{kind: outcomeDeleted, deleted: true, forget: true}
	var back backend.Object
	err := p.again.call(ctx, func() (err error) {
		back, err = p.source.Stat(ctx, p.source.key(key))
		return err
	})
	if err != nil {
		// Absent, or unknown: without an entry the next pass copies what it lists.
		return gone
	}
	out := p.copy(ctx, key, back, backend.Condition{Absent: true}, true)
	out.deleted, out.forget = true, out.entry == nil
	return out
}
