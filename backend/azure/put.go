package azure

import (
	"bytes"
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"io"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"

	"github.com/objrepl/replication/backend"
)

const (
	// bufferSize is how much of a body is in memory at once, so that its MD5
	// goes ahead of it and the service checks it before it takes anything: a
	// larger body is written in blocks of that size.
	bufferSize = 8 << 20
	// bufferLimit bounds what all bodies of a backend have in memory; one block
	// that is larger than that goes alone.
	bufferLimit = 32 << 20
	// maxPut is what one Put takes: as many blocks as an object has.
	maxPut = maxBlocks * bufferSize
)

// Put implements backend.Backend: one request, or one for each 8 MiB and one
// that commits them. What a failure leaves of the latter shows nowhere, and the
// service forgets it after a week.
func (s *Store) Put(ctx context.Context, key string, body backend.Body, opts backend.PutOptions) (backend.Object, error) {
	const op = "put"
	by, err := s.beside(opts.Metadata, opts.ObjectTags, opts.Class)
	if err == nil {
		err = checkKey(key)
	}
	conditions, wrong := conditionsOf(opts.If)
	switch {
	case err != nil:
	case wrong != nil:
		err = wrong
	case body.Size < 0:
		err = fmt.Errorf("the size of the body is not known: %w", errors.ErrUnsupported)
	case body.Size > maxPut:
		err = fmt.Errorf("%w: %d bytes, more than %d", backend.ErrTooLarge, body.Size, int64(maxPut))
	}
	if err != nil {
		return backend.Object{}, refuse(op, key, err)
	}
	if body.Size > bufferSize {
		return s.putBlocks(ctx, key, body, by, opts.If, conditions)
	}
	o := backend.Object{Key: key, Size: body.Size}
	err = s.chunks(ctx, op, key, body, max(body.Size, 1), func(_ int, data []byte, _ bool) error {
		sum := md5.Sum(data)
		res, err := s.blob(key).Upload(ctx, streaming.NopCloser(bytes.NewReader(data)), &blockblob.UploadOptions{
			HTTPHeaders: by.headers, Metadata: by.user, Tags: by.tags, Tier: by.tier,
			AccessConditions: conditions, CPKScopeInfo: s.scope,
			TransactionalValidation: blob.TransferValidationTypeMD5(sum[:]),
		})
		if err != nil {
			return unmet(opts.If, failed(ctx, op, key, err))
		}
		if o.Tag = tagOf(res.ETag); o.Tag == "" {
			return refuse(op, key, errIncomplete)
		}
		return nil
	})
	return o, err
}

func (s *Store) putBlocks(ctx context.Context, key string, body backend.Body, by beside, c backend.Condition, conditions *blob.AccessConditions) (backend.Object, error) {
	const op = "put"
	o := backend.Object{Key: key, Size: body.Size}
	block := newBlockID()
	var ids []string
	whole := md5.New()
	err := s.chunks(ctx, op, key, body, bufferSize, func(i int, data []byte, _ bool) error {
		whole.Write(data)
		block.number = uint32(i + 1)
		ids = append(ids, block.String())
		return s.stage(ctx, op, key, block, data)
	})
	if err != nil {
		return o, err
	}
	by.headers.BlobContentMD5 = whole.Sum(nil)
	o.Tag, err = s.commit(ctx, op, key, ids, by, c, conditions)
	var e *backend.Error
	if errors.As(err, &e) && errors.Is(err, backend.ErrChecksum) {
		// Whoever writes an object meanwhile discards the blocks of all others.
		e.Err = fmt.Errorf("%w: another writer of the object discarded the blocks: %v", backend.ErrUnavailable, e.Err)
	}
	return o, err
}

// chunks reads a body in pieces of one size, the last of which may be smaller,
// and hands each over with its number and whether it is the last. It has read
// up to io.EOF by then, so that a body of a wrong length never comes to its end.
func (s *Store) chunks(ctx context.Context, op, key string, body backend.Body, size int64, each func(i int, data []byte, last bool) error) (err error) {
	held := min(size, bufferLimit)
	if err := s.buffers.Acquire(ctx, held); err != nil {
		return refuse(op, key, err)
	}
	defer s.buffers.Release(held)
	source, err := body.Open(0)
	if err != nil {
		return refuse(op, key, err)
	}
	defer func() {
		if closed := source.Close(); err == nil && closed != nil {
			err = refuse(op, key, closed)
		}
	}()
	r := boundReader{ctx, source}
	buffer := make([]byte, min(size, body.Size))
	for i, left := 0, body.Size; i == 0 || left > 0; i++ {
		data := buffer[:min(int64(len(buffer)), left)]
		n, err := io.ReadFull(r, data)
		if left -= int64(n); err == nil && left == 0 {
			err = wantEnd(r)
		}
		switch {
		case ctx.Err() != nil:
			return refuse(op, key, ctx.Err())
		case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
			return refuse(op, key, fmt.Errorf("%w: the body ended after %d of %d bytes", backend.ErrChecksum, body.Size-left, body.Size))
		case err != nil:
			return refuse(op, key, err)
		}
		if err := each(i, data, left == 0); err != nil {
			return err
		}
	}
	return nil
}

// A boundReader reads no more once its context has ended. Bodies that can block
// for long, such as answers of another store, end with a context of their own.
type boundReader struct {
	ctx context.Context // only asked whether it has ended
	io.Reader
}

func (r boundReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(p)
}

// wantEnd reads the end of a body that should have no more bytes.
func wantEnd(r io.Reader) error {
	var one [1]byte
	switch n, err := io.ReadFull(r, one[:]); {
	case n > 0:
		return fmt.Errorf("%w: the body is longer than its size", backend.ErrChecksum)
	case errors.Is(err, io.EOF):
		return nil
	default:
		return err
	}
}

// stage writes one block.
func (s *Store) stage(ctx context.Context, op, key string, id blockID, data []byte) error {
	sum := md5.Sum(data)
	_, err := s.blob(key).StageBlock(ctx, id.String(), streaming.NopCloser(bytes.NewReader(data)), &blockblob.StageBlockOptions{
		CPKScopeInfo: s.scope, TransactionalValidation: blob.TransferValidationTypeMD5(sum[:]),
	})
	if err != nil {
		return failed(ctx, op, key, err)
	}
	return nil
}

// commit makes blocks the object, and discards all others of it.
func (s *Store) commit(ctx context.Context, op, key string, ids []string, by beside, c backend.Condition, conditions *blob.AccessConditions) (backend.Tag, error) {
	res, err := s.blob(key).CommitBlockList(ctx, ids, &blockblob.CommitBlockListOptions{
		HTTPHeaders: by.headers, Metadata: by.user, Tags: by.tags, Tier: by.tier,
		AccessConditions: conditions, CPKScopeInfo: s.scope,
	})
	if err != nil {
		return "", unmet(c, failed(ctx, op, key, err))
	}
	tag := tagOf(res.ETag)
	if tag == "" {
		return "", refuse(op, key, errIncomplete)
	}
	return tag, nil
}
