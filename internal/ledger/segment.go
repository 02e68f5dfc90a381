package ledger

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/zstd"
	"github.com/parquet-go/parquet-go/format"
)

const (
	versionKey    = "objrepl.ledger.version"
	formatVersion = "1"

	// Page and row group sizes bound the memory of reading and writing: a
	// reader holds one page of each column, a writer one row group.
	pageBytes       = 64 << 10
	rowsPerRowGroup = 50_000
	batchRows       = 512
)

// segmentWriter writes rows in strictly increasing key order.
type segmentWriter struct {
	file  *os.File
	out   *parquet.GenericWriter[row]
	batch []row
	first string
	last  string
	rows  int64
	gone  int64
}

// newSegmentWriter writes to file, which stays the caller's.
func newSegmentWriter(file *os.File) *segmentWriter {
	return &segmentWriter{
		file: file,
		out: parquet.NewGenericWriter[row](file,
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
	if w.rows == 0 {
		w.first = r.Key
	} else if r.Key <= w.last {
		return fmt.Errorf("ledger key %q does not come after %q", r.Key, w.last)
	}
	w.last = r.Key
	w.rows++
	if r.Flags&flagGone != 0 {
		w.gone++
	}
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

// close completes the segment.
func (w *segmentWriter) close() error {
	if err := w.flush(); err != nil {
		return err
	}
	return w.out.Close()
}

// describe adds to info what only the writer knows.
func (w *segmentWriter) describe(info segmentInfo) segmentInfo {
	info.Rows, info.Gone, info.First, info.Last = w.rows, w.gone, []byte(w.first), []byte(w.last)
	return info
}

// segmentReader yields the rows of a segment in order.
type segmentReader struct {
	info  segmentInfo
	file  *os.File
	in    *parquet.GenericReader[row]
	batch []row
	next  int
	end   bool
	last  string
	rows  int64 // read
}

// newSegmentReader reads the footer of a segment. The reader owns file.
func newSegmentReader(file *os.File, info segmentInfo) (_ *segmentReader, err error) {
	defer func() {
		// parquet-go panics on some malformed footers.
		if p := recover(); p != nil {
			err = &damage{info, fmt.Sprint(p)}
		}
		if err != nil {
			file.Close()
		}
	}()
	if err := checkFooter(file, info.Size); err != nil {
		return nil, &damage{info, err.Error()}
	}
	pf, err := parquet.OpenFile(file, info.Size, parquet.SkipBloomFilters(true), parquet.SkipPageIndex(true))
	if err != nil {
		return nil, &damage{info, err.Error()}
	}
	if v, _ := pf.Lookup(versionKey); isLater(v) {
		return nil, fmt.Errorf("ledger segment %s has format version %s; this program reads version %s", info.Name, v, formatVersion)
	} else if v != formatVersion {
		return nil, &damage{info, fmt.Sprintf("has format version %q", v)}
	}
	if fault := checkForm(pf, info.Rows); fault != "" {
		return nil, &damage{info, fault}
	}
	batch := make([]row, max(1, min(batchRows, info.Rows)))
	return &segmentReader{
		info:  info,
		file:  file,
		in:    parquet.NewGenericReader[row](pf),
		batch: batch,
		next:  len(batch),
	}, nil
}

// checkFooter holds the length that a file gives for its footer against the
// file's own: parquet-go would take memory for whatever it says.
func checkFooter(file io.ReaderAt, size int64) error {
	const around = 4 + 4 + 4 // magic, length of the footer, magic again
	if size < around {
		return io.ErrUnexpectedEOF
	}
	var length [4]byte
	if _, err := file.ReadAt(length[:], size-8); err != nil {
		return err
	}
	if n := int64(binary.LittleEndian.Uint32(length[:])); n > size-around {
		return fmt.Errorf("has a footer of %d bytes in a file of %d", n, size)
	}
	return nil
}

// checkForm holds what a footer says against what every writer keeps to, before
// memory is spent on believing it. It returns what is wrong.
func checkForm(pf *parquet.File, rows int64) string {
	if n := pf.NumRows(); n != rows {
		return fmt.Sprintf("has %d rows, not %d", n, rows)
	}
	if !parquet.EqualNodes(pf.Schema(), parquet.SchemaOf(row{})) {
		return "has other columns than a segment"
	}
	for _, group := range pf.Metadata().RowGroups {
		if group.NumRows > rowsPerRowGroup {
			return fmt.Sprintf("has a row group of %d rows", group.NumRows)
		}
		for _, c := range group.Columns {
			if c.MetaData.Codec != format.Zstd || c.MetaData.DictionaryPageOffset != 0 {
				return "has a column in another form"
			}
		}
	}
	return ""
}

// read returns the next row, valid until the following read, or io.EOF.
func (r *segmentReader) read() (*row, error) {
	if r.next == len(r.batch) {
		if err := r.fill(); err != nil {
			return nil, err
		}
	}
	out := &r.batch[r.next]
	if r.rows > 0 && out.Key <= r.last {
		return nil, &damage{r.info, fmt.Sprintf("has key %q after %q", out.Key, r.last)}
	}
	r.last = out.Key
	r.rows++
	r.next++
	return out, nil
}

func (r *segmentReader) fill() (err error) {
	if r.end {
		return io.EOF
	}
	defer func() {
		if p := recover(); p != nil {
			err = &damage{r.info, fmt.Sprint(p)}
		}
	}()
	r.batch = r.batch[:cap(r.batch)]
	n, err := r.in.Read(r.batch)
	r.batch, r.next = r.batch[:n], 0
	switch {
	case errors.Is(err, io.EOF) && r.rows+int64(n) == r.info.Rows:
		r.end = true
		if n == 0 {
			return io.EOF
		}
	case err == nil && n == 0, errors.Is(err, io.EOF):
		return &damage{r.info, fmt.Sprintf("ends after %d rows", r.rows+int64(n))}
	case err != nil:
		return &damage{r.info, err.Error()}
	}
	return nil
}

func (r *segmentReader) close() error {
	return errors.Join(r.in.Close(), r.file.Close())
}
