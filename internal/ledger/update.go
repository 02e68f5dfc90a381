package ledger

import (
	"errors"
	"fmt"
	"io"

	"github.com/objrepl/replication/internal/durable"
)

// An Update collects changes to a ledger. They take effect together at Commit
// or not at all. It is not safe for concurrent use.
//
// Keys need not come in order, but every key that does not come after the one
// before it begins another run, and a run costs a file and some memory: an
// Update is meant for a few passes over the key space, each in order.
type Update struct {
	ledger *Ledger
	runs   []*run
}

type run struct {
	file   *durable.File
	writer *segmentWriter
	gone   bool // holds at least one removed key
}

// maxRuns bounds the open files and buffers of an Update.
const maxRuns = 16

// Begin starts an update. The caller ends it with Commit or Discard.
func (l *Ledger) Begin() *Update { return &Update{ledger: l} }

// Put sets the entry of e.Key.
func (u *Update) Put(e Entry) error { return u.write(e.row()) }

// Delete removes the entry of key, if there is one.
func (u *Update) Delete(key string) error { return u.write(row{Key: key, Flags: flagGone}) }

// Changed reports whether there is anything to commit.
func (u *Update) Changed() bool { return len(u.runs) > 0 }

func (u *Update) write(r row) error {
	if len(u.runs) == 0 || r.Key <= u.runs[len(u.runs)-1].writer.last {
		if err := u.begin(); err != nil {
			return err
		}
	}
	current := u.runs[len(u.runs)-1]
	current.gone = current.gone || r.Flags&flagGone != 0
	return current.writer.write(r)
}

func (u *Update) begin() error {
	if len(u.runs) == maxRuns {
		return fmt.Errorf("ledger update goes over the keys more than %d times", maxRuns)
	}
	if len(u.runs) > 0 {
		if err := u.runs[len(u.runs)-1].writer.close(); err != nil {
			return err
		}
	}
	file, err := durable.Create(u.ledger.root, ".")
	if err != nil {
		return err
	}
	u.runs = append(u.runs, &run{file: file, writer: newSegmentWriter(file)})
	return nil
}

// Commit makes the changes the ledger's state, durably. Whatever happens, the
// update is over; after an error the ledger is as it was.
func (u *Update) Commit() (err error) {
	defer func() { err = errors.Join(err, u.Discard()) }()
	if !u.Changed() {
		return nil
	}
	if err := u.runs[len(u.runs)-1].writer.close(); err != nil {
		return err
	}
	base, err := u.ledger.segment()
	if err != nil {
		return err
	}
	if base == nil && len(u.runs) == 1 && !u.runs[0].gone {
		return u.runs[0].file.Commit(segmentName)
	}
	return u.rewrite(base)
}

// rewrite merges base and runs into the next segment.
func (u *Update) rewrite(base *segmentReader) error {
	out, err := durable.Create(u.ledger.root, ".")
	if err != nil {
		return errors.Join(err, base.close())
	}
	defer out.Abort()
	if err := u.merge(base, out); err != nil {
		return err
	}
	return out.Commit(segmentName)
}

// merge writes base, which it closes and which may be nil, and the runs to out.
// All sources are closed when it returns, since not every system lets an open
// file be replaced.
func (u *Update) merge(base *segmentReader, out io.Writer) (err error) {
	var sources []*segmentReader
	defer func() {
		for _, s := range sources {
			err = errors.Join(err, s.close())
		}
	}()
	if base != nil {
		sources = append(sources, base)
	}
	for _, r := range u.runs {
		f, err := u.ledger.root.Open(r.file.TempName())
		if err != nil {
			return err
		}
		reader, err := openSegment(f)
		if err != nil {
			return err
		}
		sources = append(sources, reader)
	}
	m, err := merge(sources)
	if err != nil {
		return err
	}
	writer := newSegmentWriter(out)
	if err := m.each(func(r *row) error { return writer.write(*r) }); err != nil {
		return err
	}
	return writer.close()
}

// Discard gives the changes up and removes their files. After Commit it does
// nothing.
func (u *Update) Discard() error {
	var errs []error
	for _, r := range u.runs {
		errs = append(errs, r.file.Abort())
	}
	u.runs = nil
	return errors.Join(errs...)
}
