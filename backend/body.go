package backend

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
)

// A Body is the content of a Put: bytes that can be read more than once,
// because signing, checksums and another attempt all need them again.
type Body struct {
	// Size is the number of bytes, or -1 where it is not known beforehand. A
	// driver whose store needs it refuses -1 with errors.ErrUnsupported.
	Size int64
	// Open returns the bytes from offset on, every time the same. Readers
	// opened one after the other or side by side do not disturb each other.
	Open func(offset int64) (io.ReadCloser, error)
	// File, if not nil, holds exactly these bytes from its beginning, so that
	// a driver may have the kernel copy them. Its position is not to be used.
	File *os.File
}

// Bytes returns a Body over b, which must not change until the Put returns.
func Bytes(b []byte) Body {
	return Body{
		Size: int64(len(b)),
		Open: func(offset int64) (io.ReadCloser, error) {
			if offset < 0 || offset > int64(len(b)) {
				return nil, fmt.Errorf("body offset %d is outside of %d bytes", offset, len(b))
			}
			return bytesReader{bytes.NewReader(b[offset:])}, nil
		},
	}
}

type bytesReader struct{ *bytes.Reader }

func (bytesReader) Close() error { return nil }

// Seeker returns the body of known size as one reader that seeks by opening
// the body anew. It is for SDKs that ask for an io.ReadSeeker; it is not safe
// for concurrent use. Reading past Size, or less than Size, is ErrChecksum.
func (b Body) Seeker() io.ReadSeekCloser { return &seeker{body: b} }

type seeker struct {
	body   Body
	offset int64
	open   io.ReadCloser // nil until the first Read after a Seek
}

func (s *seeker) Read(p []byte) (int, error) {
	if s.open == nil {
		r, err := s.body.Open(s.offset)
		if err != nil {
			return 0, err
		}
		s.open = r
	}
	n, err := s.open.Read(p)
	s.offset += int64(n)
	switch {
	case s.offset > s.body.Size:
		return 0, fmt.Errorf("body is longer than its %d bytes: %w", s.body.Size, ErrChecksum)
	case errors.Is(err, io.EOF) && s.offset < s.body.Size:
		return n, fmt.Errorf("body ended after %d of %d bytes: %w", s.offset, s.body.Size, ErrChecksum)
	}
	return n, err
}

func (s *seeker) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += s.offset
	case io.SeekEnd:
		offset += s.body.Size
	}
	if offset < 0 || offset > s.body.Size {
		return 0, fmt.Errorf("seek to %d in a body of %d bytes", offset, s.body.Size)
	}
	if offset == s.offset {
		return offset, nil
	}
	s.offset = offset
	return offset, s.Close()
}

func (s *seeker) Close() error {
	if s.open == nil {
		return nil
	}
	err := s.open.Close()
	s.open = nil
	return err
}
