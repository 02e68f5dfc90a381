package replication

import (
	"context"
	"errors"
	"fmt"

	"github.com/objrepl/replication/backend"
)

// copyWithin copies one version of a destination object, metadata and all, to a
// key in the same store under which there should be nothing: in the store, or
// through the client where it cannot do so.
func (p *pass) copyWithin(ctx context.Context, from, to string, tag backend.Tag) error {
	free := backend.Condition{Absent: true}
	if copier := p.trash.copier; copier != nil && p.guards.copies(ctx).from == answerHonoured {
		_, err := copier.Copy(ctx, from, to, backend.CopyOptions{FromMatch: tag, If: p.guards.copies(ctx).copy.sends(free)})
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

// copyInParts is copyWithin for an object that no single write takes. After a
// crash it begins anew, and what was begun is aborted by its journal.
func (p *pass) copyInParts(ctx context.Context, reader *sourceReader, v *version, to string) error {
	if p.parts.uploader == nil {
		return fmt.Errorf("%w: %d bytes fit into no write of the store", backend.ErrTooLarge, v.object.Size)
	}
	t, err := p.newTransfer(reader, v.object, to)
	if err != nil {
		return err
	}
	j, found, err := p.parts.journals.read(ctx, to)
	if err != nil {
		return err
	}
	earlier, err := p.endEarlier(ctx, j, found)
	if err != nil {
		return err
	}
	if err := t.begin(ctx, backend.PartsOptions{Metadata: *v.object.Metadata}, earlier); err != nil {
		return err
	}
	parts, err := t.putAll(ctx, nil)
	if err == nil {
		_, err = t.upload.Complete(ctx, parts, p.guards.parts(ctx).complete.sends(backend.Condition{Absent: true}))
	}
	switch {
	case err == nil:
		t.journal.Upload = "" // which is the copy now
	case errors.Is(err, errSourceChanged):
		err = backend.ErrPrecondition
	case absent(err): // which only the upload is, and not the object
		err = fmt.Errorf("%w: %v", errUploadLost, err)
	}
	p.endJournal(context.WithoutCancel(ctx), t.journal)
	return err
}
