package replication

import (
	"bytes"
	"context"
	"fmt"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/internal/ledger"
)

// resolve settles a key whose object at the destination the ledger does not
// know, or knows by another tag: it is ours from a pass that was cut short,
// equal to the source, or somebody else's.
func (p *pass) resolve(ctx context.Context, d decision) outcome {
	if d.destination.Problem != nil {
		return failed(p.destination.wrap(d.destination.Problem))
	}
	var there backend.Object
	err := p.again.call(ctx, func() (err error) {
		there, err = p.destination.Stat(ctx, p.destination.key(d.key))
		return err
	})
	switch {
	case absent(err):
		return p.copy(ctx, d.key, d.source, backend.Condition{Absent: true}, d.known)
	case err != nil:
		if p.doubt.look.Load() {
			p.doubt.stays.Store(true) // it may be ours, which nobody knows yet
		}
		return failed(p.destination.wrap(err))
	}
	mk, ours, err := p.ownMarker(ctx, there)
	if err != nil {
		p.doubt.stays.Store(true)
		return failed(err)
	}
	if ours {
		if mk.source == fingerprintOf(d.source) {
			return outcome{kind: outcomeAdopted, entry: newEntry(d.key, &version{object: d.source}, there.Tag)}
		}
		out := p.copy(ctx, d.key, d.source, backend.Condition{Match: there.Tag}, d.known)
		if out.entry == nil {
			out.entry = markedEntry(d.key, mk, there.Tag) // not written anew, but known to be ours
		}
		return out
	}
	if there.Size == d.source.Size {
		if out, settled := p.compare(ctx, d, there); settled {
			return out
		}
	}
	if err := p.mayReplace(d.known, there); err != nil {
		return failed(err)
	}
	return p.copy(ctx, d.key, d.source, backend.Condition{Match: there.Tag}, d.known)
}

// ownMarker returns the marker of an object that this policy wrote, or what it
// would say of one that the store copied for it. The size has to bear the marker
// out: somebody may have put other bytes beside it. So has the place: somebody may
// have copied the object, marker and all.
func (p *pass) ownMarker(ctx context.Context, there backend.Object) (marker, bool, error) {
	mk, marked := readMarker(there.Metadata)
	if marked && mk.policy == p.policy.ID && mk.source.size == there.Size && mk.place == markedPlace(p.destination.props.Location, there.Key) {
		return mk, true, nil
	}
	source, made, err := p.within.intents.made(ctx, there)
	return marker{policy: p.policy.ID, source: source}, made, err
}

// adopt takes an object at the destination that is equal to a version of the
// source. It is ours only if we wrote this very version there, or had the store copy
// it; somebody else's copy of another one was never in our hands.
func (p *pass) adopt(ctx context.Context, d decision, source *version, there backend.Object) outcome {
	meant, err := p.within.intents.meant(ctx, there.Key, fingerprintOf(source.object))
	if err != nil {
		p.doubt.stays.Store(true)
		return failed(err)
	}
	entry := newEntry(d.key, source, there.Tag)
	entry.Adopted = !meant && (!d.known || d.entry.Adopted || !sameVersion(d.entry, source.object))
	return outcome{kind: outcomeAdopted, entry: entry}
}

// sameVersion reports whether the ledger names this version of the source.
func sameVersion(e ledger.Entry, o backend.Object) bool {
	return e.SourceTag == string(o.Tag) && e.SourceSize == o.Size && e.SourceStamp == o.Stamp
}

// rehash settles a key whose source has the same fingerprint under another
// stamp: only another content is copied.
func (p *pass) rehash(ctx context.Context, d decision) outcome {
	expect := backend.Condition{Match: d.destination.Tag}
	if len(d.entry.Digest) == 0 {
		return p.copy(ctx, d.key, d.source, expect, true)
	}
	var v *version
	err := p.again.call(ctx, func() (err error) {
		v, err = p.reader.digest(ctx, d.key)
		return err
	})
	switch {
	case absent(err):
		return outcome{kind: outcomeNone}
	case err != nil && changed(err):
		return p.copy(ctx, d.key, d.source, expect, true)
	case err != nil:
		return failed(p.source.wrap(err))
	case !bytes.Equal(v.contentDigest(), d.entry.Digest):
		return p.copy(ctx, d.key, d.source, expect, true)
	}
	entry := newEntry(d.key, v, d.destination.Tag)
	entry.Adopted = d.entry.Adopted
	return outcome{kind: outcomeUnchanged, entry: entry}
}

// mayReplace says whether the policy lets an object be replaced that it did
// not write, as nil or as the error to report.
func (p *pass) mayReplace(known bool, there backend.Object) error {
	mode, class, setting := p.policy.Foreign, ErrForeignObject, "foreign"
	if known {
		mode, class, setting = p.policy.Drift, ErrDrift, "drift"
	}
	if mode == Overwrite {
		return nil
	}
	return fmt.Errorf("%w (%d bytes, written %s); it was left alone: remove it, or set %s: overwrite in the policy",
		class, there.Size, there.Modified.UTC().Format("2006-01-02T15:04:05Z"), setting)
}
