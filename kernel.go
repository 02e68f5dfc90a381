package replication

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"sync"
)

// kernelLimit is the largest file that goes from one directory to another in one
// piece, which the kernel copies: it shares the blocks where the file systems can,
// and else spares this process the bytes. A larger one goes in parts, so that a
// crash does not cost all of it.
const kernelLimit = 16 << 30

// kernelCopies reports whether both sides of a policy are directories of this
// machine and nothing has to count the bytes as they go by.
func (p *pass) kernelCopies() bool {
	const file = "file://"
	return p.reader.limit == nil && strings.HasPrefix(p.source.props.Location, file) && strings.HasPrefix(p.destination.props.Location, file)
}

// inKernel reports whether an object that would go in parts is copied by the
// kernel. Its digest is then not known, as that of parts is not.
func (p *pass) inKernel(size int64) bool {
	return p.reader.kernelFrom > 0 && size >= p.reader.kernelFrom && size <= kernelLimit
}

// A fileLender is a reader of a local file, which checks at its end, wherever that
// was read up to, that all bytes were of one version.
type fileLender interface{ File() *os.File }

// lent is a body whose file whoever writes it may copy from.
type lent struct {
	readCloser
	fileLender
	copied func() // after it was
	once   sync.Once
}

// lend gives the file of a version to the destination's driver, where there is one.
// Reading on from where the driver left off tells whether the version held still.
func (s *sourceReader) lend(ctx context.Context, v *version, r io.ReadCloser) (io.ReadCloser, bool) {
	file, ok := r.(fileLender)
	if !ok || s.kernelFrom == 0 || v.object.Size < s.kernelFrom {
		return nil, false
	}
	done := func() { s.moved(int(v.object.Size)) }
	quiet := &meteredReader{ctx: ctx, r: r, v: v, s: &sourceReader{moved: func(int) {}}}
	return &lent{readCloser: readCloser{quiet, r}, fileLender: file, copied: done}, true
}

// Read counts the bytes when they have all been copied.
func (l *lent) Read(p []byte) (int, error) {
	n, err := l.readCloser.Read(p)
	if errors.Is(err, io.EOF) {
		l.once.Do(l.copied)
	}
	return n, err
}
