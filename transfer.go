package replication

import (
	"context"
	"errors"
	"io"
	"io/fs"

	"golang.org/x/sync/errgroup"

	"github.com/objrepl/replication/backend"
)

// A transfer is one upload in parts under way.
type transfer struct {
	copying *copying
	object  backend.Object // the source version
	journal uploadJournal
	upload  backend.PartUpload
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
	return marker{
		policy: t.copying.pass.policy.ID, source: fingerprintOf(t.object), operation: t.journal.Operation,
	}
}

// run puts the parts that are missing and completes the upload.
func (t *transfer) run(ctx context.Context, have map[int]backend.Part) (outcome, error) {
	p := t.copying.pass
	parts := make([]backend.Part, t.count())
	group, partCtx := errgroup.WithContext(ctx)
	group.SetLimit(partsAtOnce)
	for i := range parts {
		if part, there := have[i+1]; there {
			parts[i] = part
			continue
		}
		if partCtx.Err() != nil {
			break
		}
		group.Go(func() (err error) {
			if err := p.parts.slots.Acquire(partCtx, 1); err != nil {
				return err
			}
			defer p.parts.slots.Release(1)
			parts[i], err = t.put(partCtx, i+1)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return outcome{}, err
	}
	if err := ctx.Err(); err != nil {
		return outcome{}, err
	}
	return t.complete(ctx, parts)
}

// put copies one part, on the condition that the source is still the version
// that the upload was begun with.
func (t *transfer) put(ctx context.Context, number int) (part backend.Part, err error) {
	p := t.copying.pass
	err = p.again.call(ctx, func() error {
		v := &version{object: t.object}
		body := p.reader.part(ctx, v, int64(number-1)*t.journal.PartSize, t.length(number))
		part, err = t.upload.Put(ctx, number, body)
		readErr := v.readFailure()
		switch {
		case err == nil:
			return nil
		case readErr != nil && movedOn(readErr):
			return errSourceChanged
		case readErr != nil:
			return p.source.wrap(readErr)
		case absent(err):
			return errors.Join(errUploadLost, p.destination.wrap(err))
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

// complete makes the parts the object. It looks what became of it wherever the
// answer does not say so.
func (t *transfer) complete(ctx context.Context, parts []backend.Part) (out outcome, err error) {
	c := t.copying
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
			c.unsure = c.unsure || err != nil && !backend.Definite(err)
		}
		if err == nil {
			out = c.done(v, o.Tag)
			return nil
		}
		conflict := errors.Is(err, backend.ErrPrecondition) || errors.Is(err, fs.ErrExist)
		gone := absent(err)
		switch {
		case errors.Is(err, backend.ErrChecksum):
			return errUploadLost
		case ctx.Err() != nil || backend.Definite(err) && !conflict && !gone:
			return p.destination.wrap(err)
		}
		out, err = c.look(ctx, v, t.marker(), conflict, err)
		if gone && absent(err) {
			return errors.Join(errUploadLost, err)
		}
		return err
	})
	if err == nil {
		left := t.journal
		left.Upload = "" // which is the object now
		p.endJournal(ctx, left)
	}
	return out, err
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
