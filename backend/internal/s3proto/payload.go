package s3proto

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"sync"

	"github.com/objrepl/replication/backend"
)

const (
	// smallBody is the size up to which a body is read into memory first: its
	// length and checksums are then known before anything is sent.
	smallBody = 64 << 10
	// continueBody is the size from which a server is asked before the body is
	// sent: the round trip is then cheaper than a transfer in vain.
	continueBody = 1 << 20
)

// checksumHeader is the header, or trailer, of the checksum that every upload
// carries. Castagnoli's CRC has an instruction of its own on today's CPUs.
const checksumHeader = "X-Amz-Checksum-Crc32c"

// checksumSize is the length of the checksum's text.
const checksumSize = 8

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// A payload is a body made ready for one PUT: either bytes in memory, or a
// stream to be read once.
type payload struct {
	size int64
	// data and checksum are the whole body and its checksum where it is small;
	// data is not nil then.
	data     []byte
	checksum string

	stream *exactReader
}

// newPayload opens a body. One of a known wrong length fails right away where
// it is small, and else as soon as the length shows, before its last byte is
// sent. An error of the body itself is not changed.
// ctx bounds the reading of a small one; a transport bounds that of others.
func newPayload(ctx context.Context, body backend.Body) (*payload, error) {
	if body.Size < 0 {
		return nil, fmt.Errorf("S3 needs the size of a body beforehand: %w", errors.ErrUnsupported)
	}
	if body.Size > MaxPut {
		return nil, fmt.Errorf("%w: %d bytes, more than the %d of one PUT", backend.ErrTooLarge, body.Size, int64(MaxPut))
	}
	source, err := body.Open(0)
	if err != nil {
		return nil, err
	}
	p := &payload{size: body.Size}
	exact := &exactReader{ctx: ctx, source: source, left: body.Size}
	if body.Size > smallBody {
		exact.sum = crc32.New(castagnoli)
		p.stream = exact
		return p, nil
	}
	p.data = make([]byte, body.Size)
	if err := exact.fill(ctx, p.data); err != nil {
		return nil, err
	}
	p.checksum = checksumText(crc32.Checksum(p.data, castagnoli))
	return p, nil
}

// streamChecksum is the checksum of a stream that was read to its end.
func (p *payload) streamChecksum() string { return checksumText(p.stream.sum.Sum32()) }

// sha256 is the hash, in hex, that signs a payload in memory.
func (p *payload) sha256() string { return sha256Hex(p.data) }

func sha256Hex(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// err is what the body failed with, if it did. It goes before whatever the
// connection said afterwards.
func (p *payload) err() error {
	if p.stream == nil {
		return nil
	}
	p.stream.mu.Lock()
	defer p.stream.mu.Unlock()
	return p.stream.err
}

// unfinished says whether less than the whole of a stream was read, so that no
// server can have got all of it.
func (p *payload) unfinished() bool {
	if p.stream == nil {
		return false
	}
	p.stream.reading.Lock()
	defer p.stream.reading.Unlock()
	return p.stream.left > 0
}

// close closes the body, at the latest when a Read that is under way returns:
// a transport may still be reading when its request has failed.
func (p *payload) close() {
	if p.stream != nil {
		p.stream.Close()
	}
}

func checksumText(sum uint32) string {
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, sum))
}

// exactReader yields a body of exactly the size that was declared. It holds the
// last bytes back until it has seen the end of the source, because a server
// that has got as many bytes as it was promised commits them.
type exactReader struct {
	ctx    context.Context // of the Put; only asked whether it has ended
	source io.ReadCloser
	sum    hash.Hash32 // of what was yielded; nil if nobody asks

	reading sync.Mutex // held while a Read is under way
	left    int64      // guarded by reading

	mu      sync.Mutex
	err     error // guarded by mu
	closing bool  // guarded by mu
	closed  bool  // guarded by mu
}

var errClosed = errors.New("the upload has ended")

func (r *exactReader) Read(p []byte) (int, error) {
	r.reading.Lock()
	defer r.reading.Unlock()
	defer r.closeIfAsked()
	r.mu.Lock()
	err, closing := r.err, r.closing
	r.mu.Unlock()
	switch {
	case err != nil:
		return 0, err
	case closing:
		return 0, errClosed
	case r.ctx.Err() != nil:
		// net/http waits for the body's reader to end before a cancelled
		// request does, and minio-go fills a buffer first.
		return 0, r.ctx.Err()
	case r.left == 0:
		return 0, io.EOF
	case len(p) == 0:
		return 0, nil
	}
	n, err := r.source.Read(p[:min(int64(len(p)), r.left)])
	if int64(n) == r.left {
		if err == nil {
			err = r.atEnd()
		}
	} else if errors.Is(err, io.EOF) {
		err = fmt.Errorf("body ended %d bytes short of its size: %w", r.left-int64(n), backend.ErrChecksum)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		r.mu.Lock()
		r.err = err
		r.mu.Unlock()
		return 0, err
	}
	r.left -= int64(n)
	if r.sum != nil {
		r.sum.Write(p[:n])
	}
	if r.left == 0 {
		return n, io.EOF
	}
	return n, nil
}

// atEnd returns io.EOF if the source has nothing more, or what is wrong.
func (r *exactReader) atEnd() error {
	var one [1]byte
	for range 100 {
		n, err := r.source.Read(one[:])
		if n > 0 {
			return fmt.Errorf("body is longer than its size: %w", backend.ErrChecksum)
		}
		if err != nil {
			return err
		}
	}
	return io.ErrNoProgress
}

// fill reads everything, and the end, and closes. It returns when ctx ends,
// though a source that blocks is closed only when it yields.
func (r *exactReader) fill(ctx context.Context, p []byte) error {
	if _, inMemory := r.source.(interface{ Len() int }); inMemory || ctx.Done() == nil {
		defer r.Close()
		return r.readFull(p)
	}
	done := make(chan error, 1)
	go func() {
		err := r.readFull(p)
		r.Close()
		done <- err
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		r.Close()
		return ctx.Err()
	}
}

func (r *exactReader) readFull(p []byte) error {
	if len(p) == 0 {
		if err := r.atEnd(); !errors.Is(err, io.EOF) {
			return err
		}
		return nil
	}
	_, err := io.ReadFull(r, p)
	return err
}

func (r *exactReader) Close() error {
	r.mu.Lock()
	r.closing = true
	r.mu.Unlock()
	if r.reading.TryLock() {
		defer r.reading.Unlock()
		r.closeIfAsked()
	}
	return nil
}

// closeIfAsked runs with reading held. Whoever releases it last sees closing,
// for Close sets that before it tries the lock.
func (r *exactReader) closeIfAsked() {
	r.mu.Lock()
	ask := r.closing && !r.closed
	if ask {
		r.closed = true
	}
	r.mu.Unlock()
	if ask {
		r.source.Close()
	}
}
