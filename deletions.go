package replication

import (
	"bufio"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
)

// deletionsName names the file of a shard's deletions in the policy's directory.
const deletionsName = "deletions-%s.tmp"

// deletions keeps the deletions that a pass has found until both listings are
// known to be complete and their number is known, in a file, since there may
// be millions.
type deletions struct {
	path  string
	file  *os.File // nil until the first
	buf   *bufio.Writer
	enc   *gob.Encoder
	count int64
	err   error // why replay ended early
}

// add keeps one deletion, in key order.
func (d *deletions) add(dec decision) error {
	if d.file == nil {
		f, err := os.OpenFile(d.path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
		if err != nil {
			return fmt.Errorf("keep deletions: %w", err)
		}
		d.file, d.buf = f, bufio.NewWriter(f)
		d.enc = gob.NewEncoder(d.buf)
	}
	d.count++
	if err := d.enc.Encode(keptDeletion{dec.key, string(dec.destination.Tag), dec.entry.DestinationTag}); err != nil {
		return fmt.Errorf("keep deletions: %w", err)
	}
	return nil
}

// A keptDeletion is what is needed of a decision to carry it out.
type keptDeletion struct{ Key, Tag, LedgerTag string }

// replay yields the deletions in the order they were added. err holds why it
// ended early, if it did.
func (d *deletions) replay() iter.Seq[keptDeletion] {
	return func(yield func(keptDeletion) bool) {
		if d.file == nil {
			return
		}
		if d.err = d.buf.Flush(); d.err != nil {
			return
		}
		if _, d.err = d.file.Seek(0, io.SeekStart); d.err != nil {
			return
		}
		dec := gob.NewDecoder(bufio.NewReader(d.file))
		for {
			var k keptDeletion
			if err := dec.Decode(&k); err != nil {
				if !errors.Is(err, io.EOF) {
					d.err = fmt.Errorf("read deletions: %w", err)
				}
				return
			}
			if !yield(k) {
				return
			}
		}
	}
}

// reset forgets what was added, for a shard that is scanned again.
func (d *deletions) reset() error {
	err := d.close()
	*d = deletions{path: d.path}
	return err
}

// close removes the file.
func (d *deletions) close() error {
	if d.file == nil {
		return nil
	}
	return errors.Join(d.file.Close(), os.Remove(d.path))
}
