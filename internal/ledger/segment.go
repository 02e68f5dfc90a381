package ledger

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/zstd"
)

const (
	versionKey    = "objrepl.ledger.version"
	formatVersion = "1"

	// Page and row group sizes bound the memory of reading and writing: a
	// reader holds one page of each column, a writer one row group.
	pageBytes       = 64 << 10
	rowsPerRowGroup = 50_000
	batchRows       = 1024
)

// ErrDamaged is a segment that is not what was once written.
var ErrDamaged = errors.New("ledger segment is damaged")

// segmentWriter writes rows in strictly increasing key order.
type segmentWriter struct {
	out   *parquet.GenericWriter[row]
	batch []row
	last  string
	rows  int64
}

func newSegmentWriter(w io.Writer) *segmentWriter {
	return &segmentWriter{
		out: parquet.NewGenericWriter[row](w,
			parquet.Compression(&zstd.Codec{Level: zstd.SpeedFastest}),
			parquet.PageBufferSize(pageBytes),
			parquet.MaxRowsPerRowGroup(rowsPerRowGroup),
			parquet.KeyValueMetadata(versionKey, formatVersion),
			parquet.CreatedBy("objrepl", formatVersion, ""),
		),
		batch: make([]row, 0, batchRows),
	}
}

func (w *segmentWriter) write(r row) error {
	if w.rows > 0 && r.Key <= w.last {
		return fmt.Errorf("ledger key %q does not come after %q", r.Key, w.last)
	}
	w.last = r.Key
	w.rows++
	w.batch = append(w.batch, r)
	if len(w.batch) == cap(w.batch) {
		return w.flush()
	}
	return nil
}

func (w *segmentWriter) flush() error {
	_, err := w.out.Write(w.batch)
	clear(w.batch)
	w.batch = w.batch[:0]
	return err
}

// close completes the segment; the caller still owns the file.
func (w *segmentWriter) close() error {
	if err := w.flush(); err != nil {
		return err
	}
	return w.out.Close()
}

// segmentReader yields the rows of a segment in order.
type segmentReader struct {
	file  *os.File
	in    *parquet.GenericReader[row]
	batch []row
	next  int
	end   bool
	last  string
	any   bool
}

// openSegment reads the footer of a segment. The reader owns f.
func openSegment(f *os.File) (_ *segmentReader, err error) {
	defer func() {
		// parquet-go panics on some malformed footers.
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %s: %v", ErrDamaged, f.Name(), p)
		}
		if err != nil {
			f.Close()
		}
	}()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	pf, err := parquet.OpenFile(f, info.Size(), parquet.SkipBloomFilters(true), parquet.SkipPageIndex(true))
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %v", ErrDamaged, f.Name(), err)
	}
	if v, _ := pf.Lookup(versionKey); v != formatVersion {
		return nil, fmt.Errorf("ledger segment %s has format version %q; this program reads version %s", f.Name(), v, formatVersion)
	}
	return &segmentReader{
		file:  f,
		in:    parquet.NewGenericReader[row](pf),
		batch: make([]row, batchRows),
		next:  batchRows,
	}, nil
}

func (r *segmentReader) rows() int64 {
	if r == nil {
		return 0
	}
	return r.in.NumRows()
}

// read returns the next row, valid until the following read, or io.EOF.
func (r *segmentReader) read() (*row, error) {
	if r == nil {
		return nil, io.EOF
	}
	if r.next == len(r.batch) {
		if err := r.fill(); err != nil {
			return nil, err
		}
	}
	out := &r.batch[r.next]
	if r.any && out.Key <= r.last {
		return nil, fmt.Errorf("%w: %s: key %q follows %q", ErrDamaged, r.file.Name(), out.Key, r.last)
	}
	r.last, r.any = out.Key, true
	r.next++
	return out, nil
}

func (r *segmentReader) fill() (err error) {
	if r.end {
		return io.EOF
	}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %s: %v", ErrDamaged, r.file.Name(), p)
		}
	}()
	r.batch = r.batch[:cap(r.batch)]
	n, err := r.in.Read(r.batch)
	r.batch, r.next = r.batch[:n], 0
	switch {
	case errors.Is(err, io.EOF):
		r.end = true
		if n == 0 {
			return io.EOF
		}
	case err != nil:
		return fmt.Errorf("%w: %s: %v", ErrDamaged, r.file.Name(), err)
	}
	return nil
}

// close ends the reading; a nil reader, of an empty ledger, has nothing open.
func (r *segmentReader) close() error {
	if r == nil {
		return nil
	}
	return errors.Join(r.in.Close(), r.file.Close())
}
