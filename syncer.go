package replication

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/internal/ledger"
)

// maxMoves is how often a copy starts again because the source or the
// destination moved on under it. An object that moves faster is left to the
// next pass and counted as failed.
const maxMoves = 5

// errDestinationMoved: the write did not apply, since the destination had
// another version than expected; the expectation was corrected.
var errDestinationMoved = errors.New("destination object changed during the write")

// A copying is the work of writing one key at the destination.
//
// The order is what makes it correct: the destination's tag was read first
// (expect), then the source, and the write holds only on that tag. Another
// writer who finishes in between makes the condition fail, so that nobody's
// newer version is replaced by an older one.
type copying struct {
	pass      *pass
	key       string
	expect    backend.Condition
	known     bool   // the ledger knows the key: a strange object there is drift
	operation string // names this copy in the marker
	unsure    bool   // a write may have been applied unseen
	size      int64  // as the source was last seen
	class     string // as the source's listing has it, if that was seen
	whole     bool   // the destination takes no parts after all
	bare      bool   // nor the metadata with a marker in it
	refused   bool   // the store will not copy its parts
}

// copy writes the current source version of a key, on the condition that the
// destination still has what expect says. Seen is what the source had when
// it was last seen.
func (p *pass) copy(ctx context.Context, key string, seen backend.Object, expect backend.Condition, known bool) outcome {
	if err := p.refuse(key); err != nil {
		return failed(err)
	}
	return p.newCopying(key, seen, expect, known).do(ctx)
}

// refuse says, without a request, why no object can be written for a key.
func (p *pass) refuse(key string) error {
	return errors.Join(p.refuseTrash(key), p.destination.refuse(key))
}

func (p *pass) newCopying(key string, seen backend.Object, expect backend.Condition, known bool) *copying {
	return &copying{pass: p, key: key, size: seen.Size, class: seen.Class, expect: expect, known: known, operation: p.nextOperation()}
}

// do is run, and leaves doubt where nobody knows what became of a write.
func (c *copying) do(ctx context.Context) outcome {
	p := c.pass
	out := c.run(ctx)
	if c.unsure && out.entry == nil {
		p.doubt.stays.Store(true)
	}
	return out
}

func (c *copying) run(ctx context.Context) outcome {
	p := c.pass
	for moves := 1; ; moves++ {
		var out outcome
		err := p.again.call(ctx, func() (err error) {
			out, err = c.attempt(ctx)
			return err
		})
		if errors.Is(err, errInParts) {
			out, err = c.inParts(ctx)
		}
		switch {
		case err == nil:
			return out
		case moves < maxMoves && ctx.Err() == nil &&
			(errors.Is(err, errSourceChanged) || errors.Is(err, errDestinationMoved)):
			continue
		case errors.Is(err, errSourceChanged), errors.Is(err, errDestinationMoved):
			err = fmt.Errorf("%w, %d times; the next pass tries again", err, moves)
		}
		return failed(err)
	}
}

// attempt reads the source's current version and writes it once. It returns an
// error to be retried, errSourceChanged, errDestinationMoved, or one that is
// final.
func (c *copying) attempt(ctx context.Context) (outcome, error) {
	p := c.pass
	if c.large(c.size) {
		return outcome{}, errInParts
	}
	guard := p.guards.objects(ctx).put
	v, err := p.reader.open(ctx, c.key)
	switch {
	case absent(err):
		// Gone since it was listed. The next pass lists again and decides.
		return outcome{kind: outcomeNone}, nil
	case err != nil && changed(err):
		return outcome{}, errSourceChanged
	case err != nil:
		return outcome{}, p.source.wrap(err)
	}
	defer v.release()
	if c.large(v.object.Size) {
		return outcome{}, errInParts // it grew
	}
	if err := c.raiseDoubt(ctx); err != nil {
		return outcome{}, err
	}
	tags, class, err := p.carrier.carry(ctx, c.key, v.object, c.class, false)
	if err != nil {
		return outcome{}, err
	}
	key := p.destination.key(c.key)
	mk := p.marker(key, v.object, c.operation)
	switch err := p.destination.look(ctx, key, guard, c.expect); {
	case errors.Is(err, backend.ErrPrecondition):
		return c.look(ctx, v, mk, true, err)
	case err != nil:
		return outcome{}, p.destination.wrap(err)
	}
	put := func() (backend.Object, error) {
		return p.destination.Put(ctx, key, v.body, backend.PutOptions{
			Metadata: c.metadata(v.object, mk), ObjectTags: tags, Class: class, If: guard.sends(c.expect),
		})
	}
	written, err := put()
	if c.withoutMarker(err) {
		written, err = put()
	}
	switch {
	case err == nil:
		return c.done(v, written.Tag), nil
	case errors.Is(err, backend.ErrNotEncrypted):
		return p.inTheClear(ctx, c.key, written.Tag, c.expect, err), nil
	}
	if readErr := v.readFailure(); readErr != nil {
		if changed(readErr) {
			return outcome{}, errSourceChanged
		}
		return outcome{}, p.source.wrap(readErr)
	}
	c.unsure = c.unsure || !backend.Definite(err)
	conflict := errors.Is(err, backend.ErrPrecondition) || errors.Is(err, fs.ErrExist)
	if ctx.Err() != nil || (backend.Definite(err) && !conflict) {
		return outcome{}, p.destination.wrap(err)
	}
	return c.look(ctx, v, mk, conflict, err)
}

// metadata returns that of the copy.
func (c *copying) metadata(source backend.Object, mk marker) backend.Metadata {
	m := travelling(source.Metadata)
	if c.bare {
		return m
	}
	return mark(m, mk, c.pass.destination.props.MaxMetadata)
}

// withoutMarker reports whether a write that failed so may do without the
// marker, which then is left out: some servers count more bytes than are declared,
// MinIO the prefix of each name for one.
func (c *copying) withoutMarker(err error) bool {
	again := !c.bare && errors.Is(err, backend.ErrInvalidMetadata) && !errors.Is(err, backend.ErrInvalidClass)
	c.bare = c.bare || again
	return again
}

// raiseDoubt makes sure, before an object appears at the destination, that a
// crash leaves a sign of it. A pass that cannot do so writes nothing.
func (c *copying) raiseDoubt(ctx context.Context) error {
	err := c.pass.doubt.raise(ctx)
	if err != nil {
		err = fmt.Errorf("note that writes begin: %w", err)
		c.pass.stop(err)
	}
	return err
}

// look finds out what a write did whose answer was lost or whose condition did
// not hold, and what to expect of the next attempt.
func (c *copying) look(ctx context.Context, v *version, mk marker, conflict bool, cause error) (outcome, error) {
	p := c.pass
	there, err := p.destination.Stat(ctx, p.destination.key(c.key))
	switch {
	case absent(err):
		if c.expect.Match != "" {
			c.expect = backend.Condition{Absent: true}
			return outcome{}, errDestinationMoved
		}
		return outcome{}, p.destination.wrap(cause)
	case err != nil:
		return outcome{}, p.destination.wrap(errors.Join(cause, err))
	}
	theirs, ours, err := p.ownMarker(ctx, there)
	switch {
	case err != nil:
		return outcome{}, err
	case ours && theirs == mk:
		return c.done(v, there.Tag), nil // it was applied after all
	case !conflict && c.expect.Match != "" && there.Tag == c.expect.Match:
		return outcome{}, p.destination.wrap(cause) // it was not applied
	case ours:
		c.expect = backend.Condition{Match: there.Tag}
		return outcome{}, errDestinationMoved
	}
	if err := p.mayReplace(c.known, there); err != nil {
		return outcome{}, err
	}
	c.expect = backend.Condition{Match: there.Tag}
	return outcome{}, errDestinationMoved
}

// done is the outcome of a write that the destination acknowledged.
func (c *copying) done(v *version, tag backend.Tag) outcome {
	return outcome{
		kind:  outcomeSynced,
		size:  v.object.Size,
		entry: newEntry(c.key, v, tag),
	}
}

func newEntry(key string, v *version, tag backend.Tag) *ledger.Entry {
	return &ledger.Entry{
		Key:            key,
		SourceTag:      string(v.object.Tag),
		SourceSize:     v.object.Size,
		SourceStamp:    v.object.Stamp,
		DestinationTag: string(tag),
		Digest:         v.contentDigest(),
	}
}
