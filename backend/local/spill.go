package local

import (
	"bytes"
	"container/heap"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
)

const (
	// blockSize is what merging holds of each run, and more than any name takes.
	blockSize   = 16 << 10
	blockHeader = 8
	nameHeader  = 3
)

// A spill is a temporary file of names in sorted runs, which are made of the
// blocks that docs/FORMAT.md describes. A block is checked before a name of it
// is used: a name that is lost or altered would read as an object that is not
// there.
type spill struct {
	file  *os.File
	size  int64
	ends  []int64 // of the runs
	block []byte  // not yet written
}

func newSpill(scratch func() (*os.File, error)) (*spill, error) {
	f, err := scratch()
	if err != nil {
		return nil, spillError(err)
	}
	return &spill{file: f}, nil
}

// close gives the file back. Its error tells nothing: what was wanted of the
// file has been read, and checked.
func (s *spill) close() { _ = s.file.Close() }

// add appends a name to the current run. The caller adds them in order.
func (s *spill) add(name []byte, kind uint8) error {
	if len(s.block)+nameHeader+len(name) > blockSize {
		if err := s.flush(); err != nil {
			return err
		}
	}
	if len(s.block) == 0 {
		s.block = append(s.block, make([]byte, blockHeader)...)
	}
	s.block = binary.LittleEndian.AppendUint16(s.block, uint16(len(name)))
	s.block = append(s.block, kind)
	s.block = append(s.block, name...)
	return nil
}

func (s *spill) flush() error {
	if len(s.block) == 0 {
		return nil
	}
	payload := s.block[blockHeader:]
	binary.LittleEndian.PutUint32(s.block, uint32(len(payload)))
	binary.LittleEndian.PutUint32(s.block[4:], crc32.Checksum(payload, castagnoli))
	n, err := s.file.WriteAt(s.block, s.size)
	if err != nil {
		return spillError(err)
	}
	s.size += int64(n)
	s.block = s.block[:0]
	return nil
}

// endRun ends the current run; the next name begins another.
func (s *spill) endRun() error {
	err := s.flush()
	s.ends = append(s.ends, s.size)
	return err
}

// merge reads all runs at once, in one order.
func (s *spill) merge() (*merge, error) {
	m := &merge{}
	from := int64(0)
	for _, end := range s.ends {
		r := &run{file: s.file, at: from, end: end}
		from = end
		more, err := r.next()
		if err != nil {
			return nil, err
		}
		if more {
			m.runs = append(m.runs, r)
		}
	}
	heap.Init(m)
	return m, nil
}

// A run is where a merge is in one run: at its name.
type run struct {
	name []byte // until next
	kind uint8

	file    io.ReaderAt
	at, end int64  // what is not yet read
	buf     []byte // one block
	rest    []byte // the names of it that are not yet used
}

// next goes to the next name and reports whether there is one.
func (r *run) next() (bool, error) {
	if len(r.rest) == 0 {
		if r.at == r.end {
			return false, nil
		}
		if err := r.read(); err != nil {
			return false, spillError(err)
		}
	}
	size := int(binary.LittleEndian.Uint16(r.rest))
	r.kind = r.rest[2]
	r.name = r.rest[nameHeader : nameHeader+size]
	r.rest = r.rest[nameHeader+size:]
	return true, nil
}

var errDamaged = errors.New("the temporary file of names has been damaged")

func (r *run) read() error {
	n := int(min(blockSize, r.end-r.at))
	if r.buf == nil {
		r.buf = make([]byte, n)
	}
	buf := r.buf[:n]
	if _, err := r.file.ReadAt(buf, r.at); err == io.EOF {
		return errDamaged // it was longer
	} else if err != nil {
		return err
	}
	size := int64(binary.LittleEndian.Uint32(buf))
	if size == 0 || size > int64(len(buf)-blockHeader) {
		return errDamaged
	}
	r.rest = buf[blockHeader:][:size]
	if crc32.Checksum(r.rest, castagnoli) != binary.LittleEndian.Uint32(buf[4:]) {
		return errDamaged
	}
	r.at += blockHeader + size
	return nil
}

// A merge is a heap of runs, the one with the least name first.
type merge struct {
	runs []*run
	last []byte // the name given out last
}

func (m *merge) Len() int           { return len(m.runs) }
func (m *merge) Less(i, j int) bool { return bytes.Compare(m.runs[i].name, m.runs[j].name) < 0 }
func (m *merge) Swap(i, j int)      { m.runs[i], m.runs[j] = m.runs[j], m.runs[i] }
func (m *merge) Push(r any)         { m.runs = append(m.runs, r.(*run)) }
func (m *merge) Pop() any {
	r := m.runs[len(m.runs)-1]
	m.runs[len(m.runs)-1] = nil
	m.runs = m.runs[:len(m.runs)-1]
	return r
}

// take gives add the next n names in order, each once, and fewer only at the
// end; all of them if n is negative.
func (m *merge) take(n int, add func(name []byte, kind uint8) error) error {
	for n != 0 && len(m.runs) > 0 {
		r := m.runs[0]
		if !bytes.Equal(r.name, m.last) {
			m.last = append(m.last[:0], r.name...)
			if err := add(r.name, r.kind); err != nil {
				return err
			}
			n--
		}
		more, err := r.next()
		if err != nil {
			return err
		}
		if more {
			heap.Fix(m, 0)
		} else {
			heap.Pop(m)
		}
	}
	return nil
}

var errSpill = errors.New("a directory that is too large for memory cannot be sorted on disk")

// spillError keeps what went wrong with the temporary file from being taken
// for an answer about the directory: it may be that something is missing, or
// not permitted, but not in the store.
func spillError(err error) error {
	return &classified{class: errSpill, cause: err.Error(), hint: fmt.Sprintf(
		"free space in %s and allow this user to write there, or set %s to another directory on a disk", os.TempDir(), tempVariable)}
}
