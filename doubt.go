package replication

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/internal/ledger"
)

// doubtName is an object of a policy's state. While it is there, the
// destination may have objects of ours that the ledger does not know.
const doubtName = "doubt"

// A doubt remembers, beyond the process, that the ledger may lack objects that
// this policy wrote: a pass was killed, the answer to a write never came, or a
// part of the ledger was lost. What the source has is found again anyway. But
// an object that has left the source since looks like somebody else's, and
// would stay for good; so while there is doubt, a pass asks each object that
// neither the source nor the ledger knows whose it is, at one HEAD each.
type doubt struct {
	state *policyState

	// look: there was doubt before this pass, or it has lost a part of the
	// ledger.
	look atomic.Bool
	// stays: this pass leaves a doubt itself.
	stays atomic.Bool

	mu     sync.Mutex
	raised bool // by this pass; guarded by mu
}

func newDoubt(ctx context.Context, state *policyState) (*doubt, error) {
	there, err := state.exists(ctx, doubtName)
	d := &doubt{state: state}
	d.look.Store(there)
	return d, err
}

// raise makes the doubt durable, once. It comes before the first write of a
// pass, since the process may end at any moment from then on.
func (d *doubt) raise(ctx context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.raised {
		return nil
	}
	err := d.state.write(ctx, doubtName, nil)
	d.raised = err == nil
	return err
}

// lost notes that the ledger has lost entries that it had.
func (d *doubt) lost(ctx context.Context) error {
	d.look.Store(true)
	return d.raise(ctx)
}

// settle ends the doubt, after a pass that has seen every key through and has
// committed what it did. That a crash may bring it back does no harm.
func (d *doubt) settle(ctx context.Context) error {
	if d.stays.Load() || !d.look.Load() && !d.wasRaised() {
		return nil
	}
	return d.state.remove(ctx, doubtName)
}

func (d *doubt) wasRaised() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.raised
}

// claim settles a key that neither the source nor the ledger knows: an object
// of ours is taken into the ledger, and then deleted like any other that is
// gone from the source.
func (p *pass) claim(ctx context.Context, d decision) outcome {
	if fromTrash(d.key) {
		return outcome{}
	}
	var there backend.Object
	err := p.again.call(ctx, func() (err error) {
		there, err = p.destination.Stat(ctx, p.destination.key(d.key))
		return err
	})
	switch {
	case absent(err):
		return outcome{}
	case err != nil:
		p.doubt.stays.Store(true)
		return failed(p.destination.wrap(err))
	case there.Tag != d.destination.Tag:
		p.doubt.stays.Store(true) // it moves; the next pass looks again
		return outcome{}
	}
	mk, ours, err := p.ownMarker(ctx, there)
	switch {
	case err != nil:
		p.doubt.stays.Store(true)
		return failed(err)
	case !ours:
		return outcome{}
	}
	return outcome{entry: markedEntry(d.key, mk, there.Tag)}
}

// markedEntry is what the marker of an object says, as the ledger has it.
func markedEntry(key string, mk marker, tag backend.Tag) *ledger.Entry {
	return &ledger.Entry{
		Key: key, SourceTag: string(mk.source.tag), SourceSize: mk.source.size, SourceStamp: mk.source.stamp,
		DestinationTag: string(tag),
	}
}
