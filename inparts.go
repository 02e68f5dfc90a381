package replication

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/objrepl/replication/backend"
)

// partsAtOnce is how many parts of one object are under way. What a crash
// wastes is less than so many parts.
const partsAtOnce = 4

var (
	// errInParts: the object is to be copied in parts.
	errInParts = errors.New("object is large")
	// errUploadLost: the destination no longer has the upload, or not as it
	// said.
	errUploadLost = errors.New("the unfinished upload is gone from the destination")
	// errNotCopied: the store will not copy the parts of this object.
	errNotCopied = errors.New("the store does not copy the object by itself")
)

// A partsConfig is what a pass knows of copying in parts.
type partsConfig struct {
	unfinished
	taken bool                // the destination takes parts
	from  int64               // the least size that is copied so
	size  int64               // of a part, where it suffices
	slots *semaphore.Weighted // parts under way in the whole pass
}

func (r *Replicator) newPartsConfig(destination *endpoint, state *policyState, workers int) partsConfig {
	u := r.newUnfinished(destination, state)
	return partsConfig{
		unfinished: u, taken: u.uploader != nil, from: r.config.partsFrom, size: r.config.partSize,
		slots: semaphore.NewWeighted(int64(max(workers, partsAtOnce))),
	}
}

// inParts reports whether an object of this size is copied in parts.
func (p *pass) inParts(size int64) bool {
	limit := p.destination.props.MaxPut
	return p.parts.taken && !p.inKernel(size) && (size >= p.parts.from || limit > 0 && size > limit)
}

func (c *copying) large(size int64) bool { return !c.whole && c.pass.inParts(size) }

// inParts copies a large object in parts: ranges of one source version, each
// read on condition of it, several at once. Each goes straight from the source
// to the destination and takes no memory but the drivers' buffers.
//
// The digest of a file is over its content in order, and so is not known then:
// after a change of its attributes alone such a file is copied once more.
func (c *copying) inParts(ctx context.Context) (outcome, error) {
	p := c.pass
	var object backend.Object
	err := p.again.call(ctx, func() (err error) {
		object, err = p.source.Stat(ctx, p.source.key(c.key))
		return err
	})
	switch {
	case absent(err):
		return outcome{kind: outcomeNone}, nil
	case err != nil:
		return outcome{}, p.source.wrap(err)
	}
	c.size = object.Size
	if !c.large(object.Size) {
		return outcome{}, errSourceChanged
	}
	t, have, err := c.upload(ctx, object, c.copiesRanges(ctx, object))
	if errors.Is(err, errors.ErrUnsupported) && p.fitsPut(object.Size) {
		c.whole = true
		return outcome{}, errDestinationMoved // once more, in one piece
	}
	if c.withoutMarker(err) {
		return outcome{}, errDestinationMoved
	}
	if err != nil {
		return outcome{}, err
	}
	var out outcome
	parts, err := t.putAll(ctx, have)
	if err == nil {
		out, err = c.complete(ctx, t, parts)
	}
	if t.useless(err) {
		// Also when the pass ends now: nobody will want these parts.
		p.endJournal(context.WithoutCancel(ctx), t.journal)
	}
	if errors.Is(err, errNotCopied) {
		c.refused = true
	}
	if errors.Is(err, errUploadLost) || errors.Is(err, errNotCopied) {
		err = errors.Join(errSourceChanged, err) // all of it once more
	}
	return out, err
}

// fitsPut reports whether an object can also be written in one piece.
func (p *pass) fitsPut(size int64) bool {
	limit := p.destination.props.MaxPut
	return limit == 0 || size <= limit
}

// copiesRanges reports whether the store copies the parts of an object itself.
func (c *copying) copiesRanges(ctx context.Context, object backend.Object) bool {
	p := c.pass
	return p.within.ranges != nil && !c.refused && object.Size > 0 && backend.Settled(object.Stamp) && p.copiesWithin(ctx)
}

// upload goes on with the upload that an earlier attempt has begun, if it is
// one of this very source version, or begins one. It returns the parts that the
// destination has.
func (c *copying) upload(ctx context.Context, object backend.Object, copied bool) (*transfer, map[int]backend.Part, error) {
	p := c.pass
	key := p.destination.key(c.key)
	j, found, err := p.parts.journals.read(ctx, key)
	if err != nil {
		return nil, nil, err
	}
	if found && j.Copied == copied && p.resumes(j, object) {
		t, have, err := c.resume(ctx, object, j)
		if !absent(err) {
			return t, have, err
		}
		// It is aborted all the same: MinIO, killed while it completes an upload,
		// may not know it afterwards, and keep its parts until then.
	}
	earlier, err := p.endEarlier(ctx, j, found)
	if err != nil {
		return nil, nil, err
	}
	t, err := p.newTransfer(p.reader, object, key)
	if err != nil {
		return nil, nil, p.destination.wrap(err)
	}
	if copied {
		t.copied()
	}
	opts := backend.PartsOptions{Metadata: c.metadata(object, t.marker())}
	err = p.again.call(ctx, func() (err error) {
		opts.ObjectTags, opts.Class, err = p.carrier.carry(ctx, c.key, object, c.class, true)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	return t, nil, t.begin(ctx, opts, earlier)
}

// endEarlier ends with the upload of an earlier journal, if there is one, and
// returns what the journal of the next one takes over.
func (p *pass) endEarlier(ctx context.Context, j uploadJournal, found bool) (unknown uploadJournal, err error) {
	if found && j.Destination == p.destination.props.Location {
		unknown = j
		j.UnknownSince = time.Time{}
	}
	if found && !p.abandon(ctx, j) {
		return unknown, p.destination.wrap(fmt.Errorf("%w: the upload of an earlier version cannot be aborted", backend.ErrUnavailable))
	}
	return unknown, nil
}

// resumes reports whether a journal is of this source version. A stamp that was
// not settled could be that of other bytes, of which the parts that are there
// might be.
func (p *pass) resumes(j uploadJournal, object backend.Object) bool {
	return j.Upload != "" && j.Destination == p.destination.props.Location && j.fingerprint() == fingerprintOf(object) && backend.Settled(object.Stamp)
}

func (c *copying) resume(ctx context.Context, object backend.Object, j uploadJournal) (*transfer, map[int]backend.Part, error) {
	p := c.pass
	t := &transfer{pass: p, from: p.reader, object: object, journal: j, doubted: !j.Refused}
	var parts []backend.Part
	err := p.again.call(ctx, func() (err error) {
		t.upload, err = p.parts.uploader.UploadParts(ctx, j.Key, backend.PartsOptions{ID: j.Upload, PartSize: j.PartSize})
		if err == nil {
			parts, err = t.upload.Parts(ctx)
		}
		return err
	})
	if err != nil {
		return nil, nil, p.destination.wrap(err)
	}
	have := map[int]backend.Part{}
	for _, part := range parts {
		if part.Number <= t.count() && part.Size == t.length(part.Number) {
			have[part.Number] = part
		}
	}
	return t, have, nil
}

// complete makes the parts the object. It looks what became of it wherever the
// answer does not say so.
func (c *copying) complete(ctx context.Context, t *transfer, parts []backend.Part) (out outcome, err error) {
	p := c.pass
	v := &version{object: t.object}
	if err := c.raiseDoubt(ctx); err != nil {
		return outcome{}, err
	}
	guard := p.guards.parts(ctx).complete
	err = p.again.call(ctx, func() error {
		var o backend.Object
		err := p.destination.look(ctx, t.journal.Key, guard, c.expect)
		if err == nil {
			o, err = t.upload.Complete(ctx, parts, guard.sends(c.expect))
			if err != nil && !backend.Definite(err) {
				c.unsure, t.doubted = true, true
			}
		}
		switch {
		case err == nil:
			out = c.done(v, o.Tag)
			return nil
		case errors.Is(err, backend.ErrNotEncrypted):
			out = p.inTheClear(ctx, c.key, o.Tag, c.expect, err)
			return nil
		}
		conflict := errors.Is(err, backend.ErrPrecondition) || errors.Is(err, fs.ErrExist)
		gone := absent(err)
		switch {
		case errors.Is(err, backend.ErrChecksum),
			// MinIO, killed while it completes an upload, finds the object's name
			// taken by what it has moved there, until another upload replaces it.
			errors.Is(err, backend.ErrInvalidKey) && t.doubted:
			return errUploadLost
		case ctx.Err() != nil || backend.Definite(err) && !conflict && !gone:
			if errors.Is(err, backend.ErrInvalidKey) && !t.journal.Refused {
				t.journal.Refused = true // so that no other pass sends it all again
				err = errors.Join(err, p.parts.journals.write(ctx, t.journal))
			}
			return p.destination.wrap(err)
		}
		out, err = c.look(ctx, v, t.marker(), conflict, err)
		if gone && absent(err) {
			return errors.Join(errUploadLost, err)
		}
		return err
	})
	if t.journal.Copied && out.kind == outcomeSynced {
		out.inStore = out.size
	}
	if err == nil {
		left := t.journal
		left.Upload = "" // which is the object now
		p.endJournal(ctx, left)
	}
	return out, err
}

// useless reports whether an upload that ended so is of no further use.
func (t *transfer) useless(err error) bool {
	return errors.Is(err, errSourceChanged) || errors.Is(err, errUploadLost) || errors.Is(err, errNotCopied) ||
		errors.Is(err, ErrForeignObject) || errors.Is(err, ErrDrift) || errors.Is(err, fs.ErrInvalid)
}
