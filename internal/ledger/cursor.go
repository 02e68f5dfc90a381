package ledger

import (
	"context"
	"errors"
	"io"
	"slices"
)

// A Cursor reads entries in key order. It is not safe for concurrent use. It
// keeps reading the state that Read found, whatever is committed meanwhile; but
// where a compaction has removed a segment that it had not come to, Next fails
// with ErrDamaged, and Reread tells how to go on behind the last key.
type Cursor struct {
	rows *merged
}

// newCursor merges the base with the deltas over it, all restricted to the
// keys in (after, until].
func newCursor(ctx context.Context, f *files, m *manifest, after, until string) (*Cursor, error) {
	inRange := func(list []segmentInfo) (out []segmentInfo) {
		for _, s := range list {
			if s.overlaps(after, until) {
				out = append(out, s)
			}
		}
		return out
	}
	var sources []*chain
	if base := inRange(m.Base); len(base) > 0 {
		sources = append(sources, &chain{files: f, segments: base, after: after, until: until})
	}
	for _, s := range inRange(m.Delta) {
		sources = append(sources, &chain{files: f, segments: []segmentInfo{s}, after: after, until: until})
	}
	rows, err := merge(ctx, sources)
	if err != nil {
		return nil, err
	}
	return &Cursor{rows: rows}, nil
}

// Next returns the next entry, or io.EOF after the last.
func (c *Cursor) Next(ctx context.Context) (Entry, error) {
	r, err := c.rows.next(ctx)
	if err != nil {
		return Entry{}, err
	}
	return r.entry(), nil
}

// Close ends the reading.
func (c *Cursor) Close() error { return c.rows.close() }

// A chain reads segments one after the other, opening one at a time.
type chain struct {
	files        *files
	segments     []segmentInfo
	after, until string
	open         *segmentReader
}

// read returns the next row, valid until the following read, or io.EOF.
func (c *chain) read(ctx context.Context) (*row, error) {
	for {
		if c.open == nil {
			if len(c.segments) == 0 {
				return nil, io.EOF
			}
			if err := c.begin(ctx); err != nil {
				return nil, err
			}
		}
		r, err := c.open.read()
		if errors.Is(err, io.EOF) {
			if err := c.close(); err != nil {
				return nil, err
			}
			continue
		}
		if err != nil {
			return nil, err
		}
		if c.after != "" && r.Key <= c.after {
			continue
		}
		if c.until != "" && r.Key > c.until {
			c.segments = nil
			return nil, errors.Join(c.close(), io.EOF)
		}
		return r, nil
	}
}

func (c *chain) begin(ctx context.Context) error {
	info := c.segments[0]
	c.segments = slices.Delete(slices.Clone(c.segments), 0, 1)
	file, err := c.files.openSegment(ctx, info)
	if err != nil {
		return err
	}
	c.open, err = newSegmentReader(file, info)
	return err
}

func (c *chain) close() error {
	if c.open == nil {
		return nil
	}
	err := c.open.close()
	c.open = nil
	return err
}
