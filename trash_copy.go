package replication

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/objrepl/replication/backend"
)

// copyToTrash copies one version of a destination object to a key of the trash. What
// the store has taken and not encrypted as it was asked to is removed again.
func (p *pass) copyToTrash(ctx context.Context, from, to string, tag backend.Tag) error {
	copied, err := p.copyWithin(ctx, from, to, tag)
	if errors.Is(err, backend.ErrNotEncrypted) && copied != "" {
		if left := p.takeBack(ctx, to, copied); left != nil {
			err = fmt.Errorf("%q lies there in the clear, and could not be removed (%v): %w", to, left, err)
		}
	}
	return err
}

// copyWithin copies one version of a destination object, metadata and all, to a
// key in the same store under which there should be nothing: in the store, or
// through the client where it cannot do so. It returns the tag of the copy.
func (p *pass) copyWithin(ctx context.Context, from, to string, tag backend.Tag) (backend.Tag, error) {
	free := backend.Condition{Absent: true}
	if copier := p.trash.copier; copier != nil && p.guards.copies(ctx).from == answerHonoured {
		o, err := copier.Copy(ctx, from, to, backend.CopyOptions{FromMatch: tag, If: p.guards.copies(ctx).copy.sends(free)})
		if !errors.Is(err, backend.ErrTooLarge) && !errors.Is(err, errors.ErrUnsupported) {
			return o.Tag, err
		}
	}
	relative, _ := p.destination.relative(from)
	reader := &sourceReader{endpoint: p.destination, memory: p.reader.memory, limit: p.reader.limit, moved: func(int) {}}
	v, err := reader.open(ctx, relative)
	if err != nil {
		return "", err
	}
	defer v.release()
	if v.object.Tag != tag {
		return "", backend.ErrPrecondition
	}
	tags, err := p.tagsWithin(ctx, from, v.object)
	if err != nil {
		return "", err
	}
	if !p.fitsPut(v.object.Size) {
		return p.copyInParts(ctx, reader, v, to, tags)
	}
	o, err := p.destination.Put(ctx, to, v.body, backend.PutOptions{
		Metadata: *v.object.Metadata, ObjectTags: tags, If: p.guards.objects(ctx).put.sends(free),
	})
	if readErr := v.readFailure(); err != nil && readErr != nil {
		return "", readErr
	}
	return o.Tag, err
}

// tagsWithin returns the object tags that go along through the client. That they may
// not be read stops nothing but what is known to have some.
func (p *pass) tagsWithin(ctx context.Context, from string, object backend.Object) (map[string]string, error) {
	if p.destination.tagger == nil {
		return nil, nil
	}
	tags, err := p.destination.tagger.ObjectTags(ctx, from)
	if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, fs.ErrPermission) && object.ObjectTags == 0 {
		return nil, nil
	}
	return tags, err
}

// copyInParts is copyWithin for an object that no single write takes. After a
// crash it begins anew, and what was begun is aborted by its journal.
func (p *pass) copyInParts(ctx context.Context, reader *sourceReader, v *version, to string, tags map[string]string) (copied backend.Tag, err error) {
	if p.parts.uploader == nil {
		return "", fmt.Errorf("%w: %d bytes fit into no write of the store", backend.ErrTooLarge, v.object.Size)
	}
	t, err := p.newTransfer(reader, v.object, to)
	if err != nil {
		return "", err
	}
	j, found, err := p.parts.journals.read(ctx, to)
	if err != nil {
		return "", err
	}
	earlier, err := p.endEarlier(ctx, j, found)
	if err != nil {
		return "", err
	}
	if err := t.begin(ctx, backend.PartsOptions{Metadata: *v.object.Metadata, ObjectTags: tags}, earlier); err != nil {
		return "", err
	}
	parts, err := t.putAll(ctx, nil)
	if err == nil {
		var o backend.Object
		o, err = t.upload.Complete(ctx, parts, p.guards.parts(ctx).complete.sends(backend.Condition{Absent: true}))
		copied = o.Tag
	}
	switch {
	case err == nil, errors.Is(err, backend.ErrNotEncrypted):
		t.journal.Upload = "" // which is the copy now
	case errors.Is(err, errSourceChanged):
		err = backend.ErrPrecondition
	case absent(err): // which only the upload is, and not the object
		err = fmt.Errorf("%w: %v", errUploadLost, err)
	}
	p.endJournal(context.WithoutCancel(ctx), t.journal)
	return copied, err
}
