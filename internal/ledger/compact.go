package ledger

import (
	"context"
	"errors"
	"io"
)

const (
	// maxDeltas bounds the deltas a reader has to merge, each with its own
	// buffers.
	maxDeltas = 8
	// deltaShare is the part of the base that the deltas may grow to.
	deltaShare = 5 // a fifth
)

// Compact merges deltas into the base when they have grown, and small base
// segments into full ones. It costs nothing when there is nothing to gain. The
// caller has taken the ledger, and no update is under way.
func (l *Ledger) Compact(ctx context.Context) error {
	if !l.current().overgrown() {
		return nil
	}
	return l.compact(ctx)
}

// compact merges whatever there is.
func (l *Ledger) compact(ctx context.Context) error {
	before := l.current()
	cursor, err := newCursor(ctx, &l.files, before, "", "")
	if err != nil {
		return err
	}
	u := l.Begin()
	for {
		r, readErr := cursor.rows.next(ctx)
		if errors.Is(readErr, io.EOF) {
			break
		}
		if err = readErr; err == nil {
			err = u.write(ctx, *r)
		}
		if err != nil {
			return errors.Join(err, u.Discard(), cursor.Close())
		}
	}
	if err := errors.Join(u.finish(ctx), cursor.Close()); err != nil {
		return errors.Join(err, u.Discard())
	}
	err = l.replace(ctx, func(m *manifest) { m.Base, m.Delta = u.pending, nil })
	if err != nil {
		return err
	}
	return l.files.sweep(ctx, before.names(), l.current())
}

func (m *manifest) overgrown() bool {
	base, delta := rows(m.Base), rows(m.Delta)
	full := int(base/rowsPerRowGroup) + 1
	return len(m.Delta) > maxDeltas || delta > base/deltaShare || len(m.Base) > 2*full+1
}
