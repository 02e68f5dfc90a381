package replication

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"github.com/objrepl/replication/backend"
)

// A transfer is one upload in parts under way: of ranges of one version, each
// read on condition of it, several at once.
type transfer struct {
	pass    *pass
	from    *sourceReader
	object  backend.Object // the version that is read
	journal uploadJournal
	upload  backend.PartUpload // once begun
	doubted bool               // an attempt to complete it may have gone half way
}

// newTransfer plans to upload a version to a key of the destination.
func (p *pass) newTransfer(from *sourceReader, object backend.Object, key string) (*transfer, error) {
	limits := p.destination.props.Parts
	j := uploadJournal{
		Key: key, Destination: p.destination.props.Location,
		PartSize:   limits.Size(object.Size, p.parts.size),
		SourceSize: object.Size, SourceTag: string(object.Tag), SourceStamp: object.Stamp,
		Operation: p.nextOperation(),
	}
	if j.PartSize == 0 {
		return nil, fmt.Errorf("%w: %d bytes do not fit into %d parts of %d bytes",
			backend.ErrTooLarge, object.Size, limits.Count, limits.Max)
	}
	return &transfer{pass: p, from: from, object: object, journal: j}, nil
}

// begin begins the upload. That it will is written down before, and its id
// before any part is put, so that a process that dies at any moment leaves none
// that the next pass does not find. An earlier journal of the key may know of
// uploads without a known id, which the new one takes over.
func (t *transfer) begin(ctx context.Context, opts backend.PartsOptions, earlier uploadJournal) error {
	p, j := t.pass, t.journal
	opts.PartSize, opts.Copied = j.PartSize, j.Copied
	if j.UnknownSince = earlier.UnknownSince; j.UnknownSince.IsZero() {
		j.UnknownSince = time.Now().UTC()
	}
	var unwritten error
	unsure := false
	err := p.again.call(ctx, func() (err error) {
		j.UnknownUntil = time.Now().UTC()
		if unwritten = p.parts.journals.write(ctx, j); unwritten != nil {
			return unwritten
		}
		t.upload, err = p.parts.uploader.UploadParts(ctx, j.Key, opts)
		unsure = unsure || err != nil && !backend.Definite(err)
		return err
	})
	if unwritten != nil {
		return unwritten
	}
	if !unsure { // no more than there was before
		j.UnknownSince, j.UnknownUntil = earlier.UnknownSince, earlier.UnknownUntil
	}
	if err != nil {
		if !unsure {
			p.endJournal(context.WithoutCancel(ctx), j)
		}
		return p.destination.wrap(err)
	}
	j.Upload = t.upload.ID()
	t.journal = j
	if err := p.parts.journals.write(ctx, j); err != nil {
		return errors.Join(err, t.upload.Abort(context.WithoutCancel(ctx))) // what this leaves, the first journal knows of
	}
	return nil
}

// count is how many parts there are.
func (t *transfer) count() int { return partCount(t.object.Size, t.journal.PartSize) }

// partCount is how many parts an object has; an empty one has one.
func partCount(size, partSize int64) int { return int(max((size+partSize-1)/partSize, 1)) }

// length is that of one part.
func (t *transfer) length(number int) int64 {
	from := int64(number-1) * t.journal.PartSize
	return min(t.object.Size-from, t.journal.PartSize)
}

func (t *transfer) marker() marker {
	return t.pass.marker(t.journal.Key, t.object, t.journal.Operation)
}

// putAll puts the parts that are missing, in order, and returns all of them.
func (t *transfer) putAll(ctx context.Context, have map[int]backend.Part) ([]backend.Part, error) {
	p := t.pass
	parts := make([]backend.Part, t.count())
	group, partCtx := errgroup.WithContext(ctx)
	own := semaphore.NewWeighted(partsAtOnce)
	for i := range parts {
		if part, there := have[i+1]; there {
			parts[i] = part
			continue
		}
		// Both fail only when partCtx has ended, and Wait says why.
		if own.Acquire(partCtx, 1) != nil {
			break
		}
		if p.parts.slots.Acquire(partCtx, 1) != nil {
			break
		}
		group.Go(func() (err error) {
			defer own.Release(1)
			defer p.parts.slots.Release(1)
			parts[i], err = t.put(partCtx, i+1)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return parts, ctx.Err()
}

// put copies one part, on the condition that what is read is still the version
// that the upload was begun with.
func (t *transfer) put(ctx context.Context, number int) (part backend.Part, err error) {
	p := t.pass
	if t.journal.Copied {
		return t.copyRange(ctx, number)
	}
	err = p.again.call(ctx, func() error {
		v := &version{object: t.object}
		body := t.from.part(ctx, v, int64(number-1)*t.journal.PartSize, t.length(number))
		part, err = t.upload.Put(ctx, number, body)
		readErr := v.readFailure()
		switch {
		case err == nil:
			return nil
		case readErr != nil && movedOn(readErr):
			return errSourceChanged
		case readErr != nil:
			return t.from.endpoint.wrap(readErr)
		case absent(err):
			return errors.Join(errUploadLost, p.destination.wrap(err))
		}
		return p.destination.wrap(err)
	})
	return part, err
}

// rangeFactor is how much larger parts are of whose bytes none comes this way.
const rangeFactor = 16

// copied plans to have the store copy the parts itself.
func (t *transfer) copied() {
	t.journal.Copied = true
	t.journal.PartSize = max(t.journal.PartSize, t.pass.destination.props.Parts.Size(t.object.Size, rangeFactor*t.pass.parts.size))
}

// copyRange has the store copy one part, on the same condition.
func (t *transfer) copyRange(ctx context.Context, number int) (part backend.Part, err error) {
	p := t.pass
	r := backend.CopyRange{
		Match: t.object.Tag, Stamp: t.object.Stamp,
		Offset: int64(number-1) * t.journal.PartSize, Length: t.length(number),
	}
	err = p.again.call(ctx, func() error {
		part, err = p.within.ranges.CopyPart(ctx, t.object.Key, r, t.upload, number)
		switch {
		case errors.Is(err, backend.ErrPrecondition):
			return errSourceChanged
		case absent(err):
			return errors.Join(errUploadLost, p.destination.wrap(err))
		case err != nil && ctx.Err() == nil && !backend.Retryable(err): // whatever else it has against it
			p.notCopied(err)
			return errors.Join(errNotCopied, p.destination.wrap(err))
		}
		return p.destination.wrap(err)
	})
	return part, err
}

// movedOn is changed for a range: a connection that broke amid it says nothing
// of the source, and the range is read again.
func movedOn(err error) bool {
	return absent(err) || changed(err) && !(errors.Is(err, io.ErrUnexpectedEOF) && backend.Retryable(err))
}

// part returns a range of a version as a body. Nothing of it is kept in memory.
func (s *sourceReader) part(ctx context.Context, v *version, from, length int64) backend.Body {
	return backend.Body{Size: length, Open: func(offset int64) (io.ReadCloser, error) {
		if offset >= length {
			return io.NopCloser(eof{}), nil
		}
		r, err := s.reopen(ctx, v, from+offset, length-offset)
		v.setFailure(err)
		if err != nil {
			return nil, err
		}
		return readCloser{s.throttle(ctx, v, r), r}, nil
	}}
}

// eof is a reader at its end.
type eof struct{}

func (eof) Read([]byte) (int, error) { return 0, io.EOF }
