package replication

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/objrepl/replication/backend"
)

// copyWithin copies one version of a destination object, metadata and all, to a
// key in the same store under which there should be nothing: in the store, or
// through the client where it cannot do so.
func (p *pass) copyWithin(ctx context.Context, from, to string, tag backend.Tag) error {
	free := backend.Condition{Absent: true}
	if copier := p.trash.copier; copier != nil {
		_, err := copier.Copy(ctx, from, to, backend.CopyOptions{FromMatch: tag, If: p.guards.objects(ctx).copy.sends(free)})
		if !errors.Is(err, backend.ErrTooLarge) && !errors.Is(err, errors.ErrUnsupported) {
			return err
		}
	}
	relative, _ := p.destination.relative(from)
	reader := &sourceReader{endpoint: p.destination, memory: p.reader.memory, limit: p.reader.limit, moved: func(int) {}}
	v, err := reader.open(ctx, relative)
	if err != nil {
		return err
	}
	defer v.release()
	if v.object.Tag != tag {
		return backend.ErrPrecondition
	}
	if !p.fitsPut(v.object.Size) {
		return p.copyInParts(ctx, reader, v, to)
	}
	_, err = p.destination.Put(ctx, to, v.body, backend.PutOptions{Metadata: *v.object.Metadata, If: p.guards.objects(ctx).put.sends(free)})
	if readErr := v.readFailure(); err != nil && readErr != nil {
		return readErr
	}
	return err
}

// copyInParts is copyWithin for an object that no single write takes. It begins
// anew after a crash; the journal has the next pass abort what was left.
func (p *pass) copyInParts(ctx context.Context, reader *sourceReader, v *version, to string) (err error) {
	size := p.destination.props.Parts.Size(v.object.Size, p.parts.size)
	if p.parts.uploader == nil || size == 0 {
		return fmt.Errorf("%w: %d bytes fit into no write of the store", backend.ErrTooLarge, v.object.Size)
	}
	upload, err := p.parts.uploader.UploadParts(ctx, to, backend.PartsOptions{PartSize: size, Metadata: *v.object.Metadata})
	if err != nil {
		return err
	}
	journal := uploadJournal{
		Key: to, Destination: p.destination.props.Location, Upload: upload.ID(), PartSize: size,
		SourceSize: v.object.Size, SourceTag: string(v.object.Tag), SourceStamp: v.object.Stamp, Operation: p.nextOperation(),
	}
	err = p.parts.journals.write(ctx, journal)
	if err == nil {
		err = p.putParts(ctx, reader, v, upload, size)
	}
	if err != nil {
		err = errors.Join(err, upload.Abort(context.WithoutCancel(ctx)))
	}
	return errors.Join(err, p.parts.journals.remove(ctx, to))
}

// putParts puts all parts of a version and completes the upload.
func (p *pass) putParts(ctx context.Context, reader *sourceReader, v *version, upload backend.PartUpload, size int64) error {
	parts := make([]backend.Part, (v.object.Size+size-1)/size)
	group, partCtx := errgroup.WithContext(ctx)
	group.SetLimit(partsAtOnce)
	for i := range parts {
		group.Go(func() error {
			if err := p.parts.slots.Acquire(partCtx, 1); err != nil {
				return err
			}
			defer p.parts.slots.Release(1)
			at := int64(i) * size
			return p.again.call(partCtx, func() (err error) {
				part := &version{object: v.object}
				parts[i], err = upload.Put(partCtx, i+1, reader.part(partCtx, part, at, min(size, v.object.Size-at)))
				return err
			})
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	_, err := upload.Complete(ctx, parts, p.guards.parts(ctx).complete.sends(backend.Condition{Absent: true}))
	return err
}
