package ledger

import (
	"context"
	"errors"
	"os"
)

// An Update collects changes to a ledger. They take effect together at Commit
// or not at all. It is not safe for concurrent use; several updates of one
// ledger are, if their keys are apart.
//
// Keys should come in order: each that does not come after the one before it
// ends a segment and begins another.
type Update struct {
	ledger  *Ledger
	writer  *segmentWriter // nil between segments
	pending []segmentInfo  // stored, not yet in the manifest
}

// Begin starts an update. The caller ends it with Commit or Discard, and must
// have taken the ledger.
func (l *Ledger) Begin() *Update { return &Update{ledger: l} }

// Put sets the entry of e.Key.
func (u *Update) Put(ctx context.Context, e Entry) error { return u.write(ctx, e.row()) }

// Delete removes the entry of key, if there is one.
func (u *Update) Delete(ctx context.Context, key string) error {
	return u.write(ctx, row{Key: key, Flags: flagGone})
}

func (u *Update) write(ctx context.Context, r row) error {
	if u.writer != nil && (r.Key <= u.writer.last || u.writer.rows >= rowsPerRowGroup) {
		if err := u.finish(ctx); err != nil {
			return err
		}
	}
	if u.writer == nil {
		file, err := u.ledger.files.temp()
		if err != nil {
			return err
		}
		u.writer = newSegmentWriter(file)
	}
	return u.writer.write(r)
}

// finish stores the segment that is being written.
func (u *Update) finish(ctx context.Context) error {
	if u.writer == nil {
		return nil
	}
	w := u.writer
	u.writer = nil
	defer discard(w.file)
	if err := w.close(); err != nil {
		return err
	}
	info, err := u.ledger.files.putSegment(ctx, w.file)
	if err != nil {
		return err
	}
	u.pending = append(u.pending, w.describe(info))
	return nil
}

// Commit makes the changes so far the ledger's state, durably, and the update
// ready for more. After an error they are lost, and the ledger as it was.
func (u *Update) Commit(ctx context.Context) error {
	err := u.finish(ctx)
	if err == nil && len(u.pending) > 0 {
		err = u.ledger.replace(ctx, func(m *manifest) {
			for _, s := range u.pending {
				m.add(s)
			}
		})
	}
	u.pending = nil
	return errors.Join(err, u.Discard())
}

// Discard gives up what was not committed. Segments that were stored already
// are removed by the next Take.
func (u *Update) Discard() error {
	if u.writer == nil {
		return nil
	}
	w := u.writer
	u.writer, u.pending = nil, nil
	return discard(w.file)
}

// discard closes a scratch file, and removes it where temp could not.
func discard(f *os.File) error {
	err := f.Close()
	_ = os.Remove(f.Name())
	return err
}
