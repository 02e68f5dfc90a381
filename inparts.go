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
	return p.parts.taken && (size >= p.parts.from || limit > 0 && size > limit)
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
	t, have, err := c.upload(ctx, object)
	if errors.Is(err, errors.ErrUnsupported) && p.fitsPut(object.Size) {
		c.whole = true
		return outcome{}, errDestinationMoved // once more, in one piece
	}
	if err != nil {
		return outcome{}, err
	}
	out, err := t.run(ctx, have)
	if t.useless(err) {
		// Also when the pass ends now: nobody will want these parts.
		p.endJournal(context.WithoutCancel(ctx), t.journal)
	}
	if errors.Is(err, errUploadLost) {
		err = errors.Join(errSourceChanged, err) // all of it once more
	}
	return out, err
}

// fitsPut reports whether an object can also be written in one piece.
func (p *pass) fitsPut(size int64) bool {
	limit := p.destination.props.MaxPut
	return limit == 0 || size <= limit
}

// upload goes on with the upload that an earlier attempt has begun, if it is
// one of this very source version, or begins one. It returns the parts that the
// destination has.
func (c *copying) upload(ctx context.Context, object backend.Object) (*transfer, map[int]backend.Part, error) {
	p := c.pass
	key := p.destination.key(c.key)
	j, found, err := p.parts.journals.read(ctx, key)
	if err != nil {
		return nil, nil, err
	}
	if found && p.resumes(j, object) {
		t, have, err := c.resume(ctx, object, j)
		if !absent(err) {
			return t, have, err
		}
		j.Upload = ""
	}
	var unknown uploadJournal
	if found && j.Destination == p.destination.props.Location {
		// The journal of the next upload takes these over.
		unknown = j
		j.UnknownSince = time.Time{}
	}
	if found && !p.abandon(ctx, j) {
		return nil, nil, p.destination.wrap(fmt.Errorf("%w: the upload of an earlier version cannot be aborted", backend.ErrUnavailable))
	}
	t, err := c.begin(ctx, object, unknown)
	return t, nil, err
}

// resumes reports whether a journal is of this source version. A stamp that was
// not settled could be that of other bytes, of which the parts that are there
// might be.
func (p *pass) resumes(j uploadJournal, object backend.Object) bool {
	return j.Upload != "" && j.Destination == p.destination.props.Location && j.fingerprint() == fingerprintOf(object) && backend.Settled(object.Stamp)
}

func (c *copying) resume(ctx context.Context, object backend.Object, j uploadJournal) (*transfer, map[int]backend.Part, error) {
	p := c.pass
	t := &transfer{copying: c, object: object, journal: j}
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

// begin begins an upload. That it will is written down before, and its id
// before any part is put, so that a process that dies at any moment leaves none
// that the next pass does not find. An earlier journal of the key may know of
// uploads without a known id, which the new one takes over.
func (c *copying) begin(ctx context.Context, object backend.Object, earlier uploadJournal) (*transfer, error) {
	p := c.pass
	limits := p.destination.props.Parts
	j := uploadJournal{
		Key: p.destination.key(c.key), Destination: p.destination.props.Location,
		UnknownSince: earlier.UnknownSince,
		PartSize:     limits.Size(object.Size, p.parts.size),
		SourceSize:   object.Size, SourceTag: string(object.Tag), SourceStamp: object.Stamp,
		Operation: p.nextOperation(),
	}
	if j.PartSize == 0 {
		return nil, p.destination.wrap(fmt.Errorf("%w: %d bytes do not fit into %d parts of %d bytes",
			backend.ErrTooLarge, object.Size, limits.Count, limits.Max))
	}
	if j.UnknownSince.IsZero() {
		j.UnknownSince = time.Now().UTC()
	}
	t := &transfer{copying: c, object: object, journal: j}
	var unwritten error
	unsure := false
	err := p.again.call(ctx, func() (err error) {
		j.UnknownUntil = time.Now().UTC()
		if unwritten = p.parts.journals.write(ctx, j); unwritten != nil {
			return unwritten
		}
		t.upload, err = p.parts.uploader.UploadParts(ctx, j.Key, backend.PartsOptions{
			PartSize: j.PartSize,
			Metadata: mark(travelling(object.Metadata), t.marker(), p.destination.props.MaxMetadata),
		})
		unsure = unsure || err != nil && !backend.Definite(err)
		return err
	})
	if unwritten != nil {
		return nil, unwritten
	}
	if !unsure { // no more than there was before
		j.UnknownSince, j.UnknownUntil = earlier.UnknownSince, earlier.UnknownUntil
	}
	if err != nil {
		if !unsure {
			p.endJournal(context.WithoutCancel(ctx), j)
		}
		return nil, p.destination.wrap(err)
	}
	j.Upload = t.upload.ID()
	t.journal = j
	if err := p.parts.journals.write(ctx, j); err != nil {
		return nil, errors.Join(err, t.upload.Abort(context.WithoutCancel(ctx))) // what this leaves, the first journal knows of
	}
	return t, nil
}

// useless reports whether an upload that ended so is of no further use.
func (t *transfer) useless(err error) bool {
	return errors.Is(err, errSourceChanged) || errors.Is(err, errUploadLost) ||
		errors.Is(err, ErrForeignObject) || errors.Is(err, ErrDrift) || errors.Is(err, fs.ErrInvalid)
}
