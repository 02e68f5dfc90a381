package ledger

import (
	"errors"
	"io/fs"
	"os"
)

// segmentName is the current segment within the ledger's directory.
const segmentName = "ledger.parquet"

// A Ledger is the ledger of one policy in a directory of its own. Whoever
// updates it holds the policy's lock; reading is safe at any time.
type Ledger struct {
	root *os.Root
}

// Open opens the ledger in dir, which must exist. The caller closes it.
func Open(dir string) (*Ledger, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	return &Ledger{root: root}, nil
}

// Close releases the directory. Cursors and updates are to be closed first.
func (l *Ledger) Close() error { return l.root.Close() }

// Read starts reading all entries in key order. A segment that is no longer
// what was written fails with ErrDamaged, here or at any Next.
func (l *Ledger) Read() (*Cursor, error) {
	reader, err := l.segment()
	if err != nil {
		return nil, err
	}
	return &Cursor{reader: reader}, nil
}

// segment opens the current segment, nil if there is none yet.
func (l *Ledger) segment() (*segmentReader, error) {
	f, err := l.root.Open(segmentName)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return openSegment(f)
}

// SetAside moves a damaged segment out of the way, where it can be looked at,
// so that the ledger is empty and the next pass rebuilds it. It returns the
// new name within the ledger's directory.
func (l *Ledger) SetAside() (string, error) {
	const aside = segmentName + ".damaged"
	return aside, l.root.Rename(segmentName, aside)
}

// A Cursor reads entries in key order. It is not safe for concurrent use. It
// keeps reading the state that Read found, whatever is committed meanwhile.
type Cursor struct {
	reader *segmentReader // nil for an empty ledger
}

// Len returns the number of entries in the whole ledger.
func (c *Cursor) Len() int64 { return c.reader.rows() }

// Next returns the next entry, or io.EOF after the last.
func (c *Cursor) Next() (Entry, error) {
	r, err := c.reader.read()
	if err != nil {
		return Entry{}, err
	}
	return r.entry(), nil
}

// Close ends the reading.
func (c *Cursor) Close() error { return c.reader.close() }
