package azure

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"sync/atomic"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"

	"github.com/objrepl/replication/backend"
)

// An upload is one in parts, see upload.go.
type upload struct {
	store   *Store
	key, id string
	token   [16]byte
	with    uploadOptions
	size    int64 // of each part but the last
	// ended: completed or aborted through this very value. The service takes
	// blocks all the same, so that only this keeps one from being put in vain.
	ended atomic.Bool
}

// UploadParts implements backend.PartUploader. Beginning an upload writes one
// block of one byte; going on with one asks nothing.
func (s *Store) UploadParts(ctx context.Context, key string, opts backend.PartsOptions) (backend.PartUpload, error) {
	const op = "upload"
	u := &upload{store: s, key: key, id: opts.ID, with: uploadOptions{opts.Metadata, opts.ObjectTags, opts.Class}, size: opts.PartSize}
	err := checkKey(key)
	switch {
	case err != nil:
	case opts.ID != "":
		u.token, u.with, err = parseUploadID(opts.ID)
	case opts.PartSize < 1 || opts.PartSize > maxPart:
		err = fmt.Errorf("parts of %d bytes: %w", opts.PartSize, errors.ErrUnsupported)
	default:
		_, err = s.beside(opts.Metadata, opts.ObjectTags, opts.Class)
	}
	if err != nil {
		return nil, refuse(op, key, err)
	}
	if opts.ID != "" {
		return u, nil
	}
	note := newBlockID()
	u.token = note.upload
	if u.id, err = newUploadID(u.token, u.with); err != nil {
		return nil, refuse(op, key, err)
	}
	if err := s.stage(ctx, op, key, note, []byte{0}); err != nil {
		return nil, err
	}
	return u, nil
}

// ID implements backend.PartUpload.
func (u *upload) ID() string { return u.id }

// Put implements backend.PartUpload: one request for each 8 MiB of a part, or
// five for one that is larger than 40 MiB.
func (u *upload) Put(ctx context.Context, number int, body backend.Body) (backend.Part, error) {
	const op = "upload part"
	var err error
	switch {
	case number < 1 || number > maxParts || body.Size == 0:
		err = fmt.Errorf("part %d of %d bytes: %w", number, body.Size, fs.ErrInvalid)
	case body.Size < 0:
		err = fmt.Errorf("the size of part %d is not known: %w", number, errors.ErrUnsupported)
	case body.Size > u.size:
		err = fmt.Errorf("%w: part %d has %d bytes, more than %d", backend.ErrTooLarge, number, body.Size, u.size)
	case u.ended.Load():
		err = errEnded
	}
	if err != nil {
		return backend.Part{}, refuse(op, u.key, err)
	}
	id := newBlockID()
	id.upload, id.number = u.token, uint32(number)
	size := max(bufferSize, (u.size+blocksOfAPart-1)/blocksOfAPart)
	err = u.store.chunks(ctx, op, u.key, body, size, func(i int, data []byte, last bool) error {
		id.index, id.last = uint8(i), last
		return u.store.stage(ctx, op, u.key, id, data)
	})
	if err != nil {
		return backend.Part{}, err
	}
	return backend.Part{Number: number, Size: body.Size, Tag: partTag(id.stamp)}, nil
}

var errEnded = fmt.Errorf("the upload was completed or aborted: %w", fs.ErrNotExist)

// staged returns the parts that the service has, or fs.ErrNotExist where it
// knows nothing of the upload: it was completed or aborted, the object was
// written by somebody else meanwhile, or a week has gone by.
func (u *upload) staged(ctx context.Context, op string) (map[int]stagedPart, error) {
	if u.ended.Load() {
		return nil, refuse(op, u.key, errEnded)
	}
	res, err := u.store.blob(u.key).GetBlockList(ctx, blockblob.BlockListTypeUncommitted, nil)
	if err != nil {
		return nil, failed(ctx, op, u.key, err)
	}
	parts, there := stagedParts(u.token, &res.BlockList)
	if !there {
		return nil, refuse(op, u.key, fmt.Errorf("no block of the upload is there any more: %w", fs.ErrNotExist))
	}
	return parts, nil
}

// Parts implements backend.PartUpload: one request.
func (u *upload) Parts(ctx context.Context) ([]backend.Part, error) {
	parts, err := u.staged(ctx, "list parts")
	if err != nil {
		return nil, err
	}
	var out []backend.Part
	for _, number := range slices.Sorted(maps.Keys(parts)) {
		out = append(out, parts[number].Part)
	}
	return out, nil
}

// Complete implements backend.PartUpload. It discards the blocks of every other
// upload of the key.
func (u *upload) Complete(ctx context.Context, parts []backend.Part, c backend.Condition) (backend.Object, error) {
	const op = "complete"
	fail := func(err error) (backend.Object, error) { return backend.Object{}, refuse(op, u.key, err) }
	conditions, err := conditionsOf(c)
	if err != nil {
		return fail(err)
	}
	by, err := u.store.beside(u.with.metadata, u.with.tags, u.with.class)
	if err != nil {
		return fail(err)
	}
	staged, err := u.staged(ctx, op)
	if err != nil {
		return backend.Object{}, u.gone(ctx, err, c)
	}
	o := backend.Object{Key: u.key}
	var ids []string
	for i, p := range parts {
		there, ok := staged[p.Number]
		if p.Number != i+1 || !ok || there.Part != p {
			return fail(fmt.Errorf("%w: the service does not have part %d as it was put", backend.ErrChecksum, i+1))
		}
		o.Size += p.Size
		ids = append(ids, there.blocks...)
	}
	if o.Tag, err = u.store.commit(ctx, op, u.key, ids, by, c, conditions); err != nil {
		var e *backend.Error
		if errors.As(err, &e) && errors.Is(err, backend.ErrChecksum) {
			// Gone since they were listed.
			e.Err = fmt.Errorf("%w: %v", fs.ErrNotExist, e.Err)
			return backend.Object{}, u.gone(ctx, err, c)
		}
		return backend.Object{}, err
	}
	u.ended.Store(true)
	return o, nil
}

// gone says of an upload that is not there any more that its condition does not
// hold, where that is so: whoever writes an object discards all blocks of it.
func (u *upload) gone(ctx context.Context, err error, c backend.Condition) error {
	if !errors.Is(err, fs.ErrNotExist) || c == (backend.Condition{}) {
		return err
	}
	o, lost := u.store.stat(ctx, "complete", u.key)
	switch {
	case lost == nil && c.Absent:
		return refuse("complete", u.key, fmt.Errorf("%w: %w", fs.ErrExist, backend.ErrPrecondition))
	case lost == nil && o.Tag != c.Match, c.Match != "" && errors.Is(lost, fs.ErrNotExist):
		return refuse("complete", u.key, backend.ErrPrecondition)
	}
	return err
}

// Abort implements backend.PartUpload. Azure cannot discard blocks but by
// writing the object, so one more note says that they are not to be used; it
// forgets them a week after the last one.
func (u *upload) Abort(ctx context.Context) error {
	const op = "abort"
	_, err := u.staged(ctx, op)
	if err == nil {
		note := newBlockID()
		note.upload, note.index = u.token, noteAborted
		err = u.store.stage(ctx, op, u.key, note, []byte{0})
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	u.ended.Store(true)
	return nil
}
