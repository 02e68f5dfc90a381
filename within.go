package replication

import (
	"context"
	"errors"
	"io/fs"
	"sync"
	"sync/atomic"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/internal/ledger"
)

// A withinStore is how a pass copies where one service has both sides: the service
// copies the objects itself, one request each, and no byte of theirs comes through
// the client.
//
// Such a copy has the metadata of its source and no marker of this write. So what
// is about to be copied is written down before, see intents.
type withinStore struct {
	copier  backend.Copier     // nil where every object goes through the client
	ranges  backend.PartCopier // nil where none is copied in parts so
	intents *intents
	refused atomic.Bool // the store will not copy; it is asked no more in this pass
	worked  atomic.Bool // it has copied
	warn    sync.Once
}

func newWithin(destination *endpoint, i *intents) *withinStore {
	w := &withinStore{copier: destination.copier, intents: i}
	w.ranges, _ = destination.copier.(backend.PartCopier)
	return w
}

// copiesWithin reports whether the store copies for this pass. A server that does
// not keep to the version that a copy is to be of is of no use.
func (p *pass) copiesWithin(ctx context.Context) bool {
	return p.within.copier != nil && !p.within.refused.Load() && p.guards.copies(ctx).from == answerHonoured
}

// inOneCopy reports whether an object is copied within the store in one request. A
// large one is not where only an upload in parts keeps to the condition.
func (p *pass) inOneCopy(size int64, expect backend.Condition, known conditions) bool {
	if limit := p.destination.props.MaxCopy; limit > 0 && size > limit {
		return false
	}
	return p.within.ranges == nil || !p.inParts(size) || !known.copy.looks(expect)
}

// withinReach reports whether what a decision is about can be copied so: what is
// new or changed, in the version that was listed.
func (p *pass) withinReach(d decision, known conditions) bool {
	switch {
	case d.verdict == verdictRehash && len(d.entry.Digest) == 0: // nothing to tell by whether it changed
	case d.verdict == verdictCopy:
	default:
		return false
	}
	return d.source.Tag != "" && backend.Settled(d.source.Stamp) && p.refuse(d.key) == nil &&
		p.inOneCopy(d.source.Size, expected(d.destination), known)
}

// copyInStore has the store copy the version that was listed onto what was listed
// at the destination, and nothing else onto nothing else. Where it will not, since
// either has moved on or for whatever else, the object is looked at again and goes
// through the client.
func (p *pass) copyInStore(ctx context.Context, d decision) outcome {
	from, to := p.source.key(d.key), p.destination.key(d.key)
	expect, guard := expected(d.destination), p.guards.copies(ctx).copy
	unsure := false
	var copied backend.Object
	err := p.again.call(ctx, func() (err error) {
		if expect.Match != "" {
			if err := p.destination.look(ctx, to, guard, expect); err != nil {
				return err
			}
		}
		copied, err = p.within.copier.Copy(ctx, from, to, backend.CopyOptions{
			FromMatch: d.source.Tag, FromStamp: d.source.Stamp, If: guard.sends(expect),
		})
		unsure = unsure || err != nil && !backend.Definite(err)
		return err
	})
	if unsure {
		p.within.intents.lose(intentOf(to, d.source))
	}
	if errors.Is(err, backend.ErrNotEncrypted) {
		if unsure {
			p.doubt.stays.Store(true)
		}
		return p.inTheClear(ctx, d.key, copied.Tag, expect, err)
	}
	if err != nil && unsure && ctx.Err() == nil {
		there, ours, lookErr := p.ownCopy(ctx, d, expect)
		switch {
		case lookErr != nil: // nobody knows then whose it is
			p.doubt.stays.Store(true)
			return failed(lookErr)
		case ours:
			copied, err = there, nil
		}
	}
	// An attempt whose answer was lost, and that nothing holds back, may be made
	// later still, and give the object another tag. It is known by its intent then;
	// where tags are checksums, it gets the same one.
	late := unsure && guard.looks(expect) && (err != nil || string(copied.Tag) != d.source.Checksum)
	if late {
		p.doubt.stays.Store(true)
	}
	switch {
	case err == nil:
		p.within.worked.Store(true)
		if !late {
			p.within.intents.found(to)
		}
		return outcome{kind: outcomeSynced, size: d.source.Size, inStore: d.source.Size, entry: &ledger.Entry{
			Key: d.key, SourceTag: string(d.source.Tag), SourceSize: d.source.Size, SourceStamp: d.source.Stamp,
			DestinationTag: string(copied.Tag),
		}}
	case ctx.Err() != nil || backend.Retryable(err):
		if unsure {
			p.doubt.stays.Store(true)
		}
		return failed(p.destination.wrap(err))
	}
	c := p.newCopying(d.key, d.source, expect, d.known)
	c.unsure = unsure
	out := c.do(ctx)
	if out.entry != nil { // else the trouble is the object's own: it is archived, say
		p.notCopied(err)
	}
	return out
}

// ownCopy looks whether a copy whose answer was lost was made after all. What no
// checksum tells is read at both sides, now, while the source is likely to have the
// version still. An object that cannot be read is an error: it may be ours.
func (p *pass) ownCopy(ctx context.Context, d decision, expect backend.Condition) (there backend.Object, ours bool, err error) {
	lookErr := p.again.call(ctx, func() (err error) {
		there, err = p.destination.Stat(ctx, p.destination.key(d.key))
		return err
	})
	if lookErr != nil || there.Tag == expect.Match {
		return there, false, nil
	}
	mk, ours, err := p.ownMarker(ctx, there)
	if ours || err != nil || there.Size != d.source.Size {
		return there, ours && mk.source == fingerprintOf(d.source), err
	}
	_, same, err := p.equal(ctx, d, there)
	if changed(err) || absent(err) {
		return there, false, nil // one side has moved on, which proves nothing
	}
	return there, same, err
}

// notCopied notes that the store refused a copy. One that has made none yet will
// make none: its credentials may not read the source, say.
func (p *pass) notCopied(err error) {
	if !errors.Is(err, fs.ErrPermission) && !errors.Is(err, errors.ErrUnsupported) {
		return
	}
	if !p.within.worked.Load() {
		p.within.refused.Store(true)
	}
	p.within.warn.Do(func() {
		p.log.Warn("the destination's store refused to copy from the source by itself; objects go through this process instead",
			"policy", p.policy.ID, "source", p.source.place(), "destination", p.destination.place(), "error", err)
	})
}
