package backendtest

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"time"

	"github.com/objrepl/replication/backend"
)

// partSize is the size of parts in a store without a least one.
const partSize = 64 << 10

// An uploading is an upload that a check has begun.
type uploading struct {
	backend.PartUpload
	env  *env
	key  string
	size int64
}

// upload begins an upload in parts of the smallest size. The caller calls end.
func (e *env) upload(ctx context.Context, key string, m backend.Metadata) (*uploading, error) {
	return e.uploadOf(ctx, key, backend.PartsOptions{Metadata: m})
}

// uploadOf is upload with other options; the size of the parts is not looked at.
func (e *env) uploadOf(ctx context.Context, key string, opts backend.PartsOptions) (*uploading, error) {
	uploader, ok := backend.As[backend.PartUploader](e.inner)
	if !ok {
		return nil, e.skip("the backend is no PartUploader")
	}
	e.mu.Lock()
	e.written[key] = true
	e.mu.Unlock()
	size := e.Properties().Parts.Size(1<<30, max(e.Properties().Parts.Min, partSize))
	opts.PartSize = size
	u, err := uploader.UploadParts(ctx, key, opts)
	if err != nil {
		return nil, ruleParts.broken("begin an upload of %q in parts of %d bytes: got error %w, want success", key, size, err)
	}
	if u.ID() == "" {
		return nil, ruleParts.broken("begin an upload of %q: got no id, want one", key)
	}
	return &uploading{u, e, key, size}, nil
}

// end aborts what a check has left open.
func (u *uploading) end(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	_ = u.Abort(ctx)
}

// put puts a part that nothing speaks against.
func (u *uploading) put(ctx context.Context, number int, data []byte) (backend.Part, error) {
	p, err := u.Put(ctx, number, backend.Bytes(data))
	if err != nil {
		return p, rulePartPut.broken("put part %d of %q, %d bytes: got error %w, want success", number, u.key, len(data), err)
	}
	if p.Number != number || p.Size != int64(len(data)) {
		return p, rulePartPut.broken("put part %d of %q: got number %d, size %d; want that number, size %d", number, u.key, p.Number, p.Size, len(data))
	}
	return p, nil
}

// complete completes an upload that nothing speaks against and looks at the
// object.
func (u *uploading) complete(ctx context.Context, parts []backend.Part, c backend.Condition, data []byte) (backend.Object, error) {
	o, err := u.Complete(ctx, parts, c)
	if err != nil {
		return o, ruleComplete.broken("complete %q, %d parts: got error %w, want success", u.key, len(parts), err)
	}
	if err := wantAnswer(o, u.key, len(data)); err != nil {
		return o, err
	}
	return o, errors.Join(
		u.env.wantContent(ctx, ruleComplete, u.key, data, o.Tag),
		u.env.wantListed(ctx, o),
	)
}

// wantListed checks that a listing shows an object with this tag and size.
func (e *env) wantListed(ctx context.Context, want backend.Object) error {
	listed, err := e.list(ctx, backend.ListOptions{Prefix: want.Key})
	if err != nil {
		return err
	}
	for _, o := range listed {
		if o.Key == want.Key {
			if o.Tag != want.Tag || o.Size != want.Size {
				return ruleTag.broken("list: got %q with tag %q, size %d; want tag %q, size %d", o.Key, o.Tag, o.Size, want.Tag, want.Size)
			}
			return nil
		}
	}
	return ruleComplete.broken("list: got no %q, want it", want.Key)
}

// wantParts checks what an upload says that it has.
func (u *uploading) wantParts(ctx context.Context, want ...backend.Part) error {
	got, err := u.Parts(ctx)
	if err != nil {
		return rulePartList.broken("parts of %q: got error %w, want success", u.key, err)
	}
	if !slices.Equal(got, want) {
		return rulePartList.broken("parts of %q: got %v, want %v", u.key, got, want)
	}
	return nil
}

// gone checks that an upload is no longer there.
func (u *uploading) gone(ctx context.Context, how string) error {
	_, err := u.Parts(ctx)
	if err := rulePartGone.wantError("parts of an upload that was "+how, err, fs.ErrNotExist); err != nil {
		return err
	}
	_, err = u.Put(ctx, 1, backend.Bytes([]byte("x")))
	if err := rulePartGone.wantError("put of a part of an upload that was "+how, err, fs.ErrNotExist); err != nil {
		return err
	}
	return nil
}

// oneSmall begins an upload and puts its only part.
func (e *env) oneSmall(ctx context.Context, key string, data []byte) (*uploading, []backend.Part, error) {
	u, err := e.upload(ctx, key, backend.Metadata{})
	if err != nil {
		return nil, nil, err
	}
	part, err := u.put(ctx, 1, data)
	if err != nil {
		u.end(ctx)
		return nil, nil, err
	}
	return u, []backend.Part{part}, nil
}
