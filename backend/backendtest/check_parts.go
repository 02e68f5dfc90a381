package backendtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/objrepl/replication/backend"
)

var partChecks = []Check{
	{"parts", "parts put in any order become one object, which shows at Complete and not before", checkParts},
	{"parts-resume", "another backend goes on with an upload by its id", checkPartsResume},
	{"parts-twice", "a part that is put twice is replaced", checkPartsTwice},
	{"parts-length", "a part of the wrong length is refused", checkPartsLength},
	{"parts-missing", "an upload without all of its parts is not completed", checkPartsMissing},
	{"parts-abort", "an upload that is aborted is gone, and aborting it again is well", checkPartsAbort},
	{"parts-unknown", "an upload that was never begun, or is complete, does not exist", checkPartsUnknown},
	{"parts-if-absent", "Complete on Absent creates, and does not replace; or is refused, as declared", checkPartsIfAbsent},
	{"parts-if-match", "Complete on Match replaces that version alone; or is refused, as declared", checkPartsIfMatch},
	{"parts-race", "of racing conditional completes one wins, and its bytes are there", checkPartsRace},
}

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

func checkParts(ctx context.Context, e *env) error {
	m := backend.Metadata{ContentType: "text/x-test", User: map[string]string{"one": "1"}}
	u, err := e.upload(ctx, e.key("dir/object"), m)
	if err != nil {
		return err
	}
	defer u.end(ctx)
	data := e.bytes(int(2*u.size) + 1000)
	parts := make([]backend.Part, 3)
	for _, i := range []int{2, 0, 1} {
		from := int64(i) * u.size
		if parts[i], err = u.put(ctx, i+1, data[from:min(from+u.size, int64(len(data)))]); err != nil {
			return err
		}
		if err := e.wantAbsent(ctx, ruleParts, u.key); err != nil {
			return err
		}
	}
	if err := u.wantParts(ctx, parts...); err != nil {
		return err
	}
	o, err := u.complete(ctx, parts, backend.Condition{}, data)
	if err != nil {
		return err
	}
	there, err := e.Stat(ctx, o.Key)
	if err != nil || there.Metadata == nil || there.Metadata.ContentType != m.ContentType || there.Metadata.User["one"] != "1" {
		return ruleMetadata.broken("stat %q: got metadata %+v, error %v; want what the upload was begun with", o.Key, there.Metadata, err)
	}
	_, tail, err := e.mustRead(ctx, o.Key, backend.OpenOptions{Offset: u.size - 10, Length: 20, IfMatch: o.Tag})
	if err != nil {
		return err
	}
	if d := difference(tail, data[u.size-10:u.size+10]); d != "" {
		return ruleRange.broken("range over the border of two parts: %s", d)
	}
	return nil
}

func checkPartsResume(ctx context.Context, e *env) error {
	u, err := e.upload(ctx, e.key("object"), backend.Metadata{})
	if err != nil {
		return err
	}
	defer u.end(ctx)
	data := e.bytes(int(u.size) + 1000)
	first, err := u.put(ctx, 1, data[:u.size])
	if err != nil {
		return err
	}
	other, err := e.open(ctx)
	if err != nil {
		return fmt.Errorf("open the store again: %w", err)
	}
	defer other.Close()
	uploader, ok := backend.As[backend.PartUploader](other)
	if !ok {
		return ruleParts.broken("open the store again: got a backend that is no PartUploader")
	}
	again, err := uploader.UploadParts(ctx, u.key, backend.PartsOptions{ID: u.ID(), PartSize: u.size})
	if err != nil {
		return ruleParts.broken("go on with an upload: got error %w, want success", err)
	}
	if again.ID() != u.ID() {
		return ruleParts.broken("go on with upload %q: got %q", u.ID(), again.ID())
	}
	resumed := &uploading{again, e, u.key, u.size}
	if err := resumed.wantParts(ctx, first); err != nil {
		return err
	}
	second, err := resumed.put(ctx, 2, data[u.size:])
	if err != nil {
		return err
	}
	if err := u.wantParts(ctx, first, second); err != nil {
		return err
	}
	_, err = resumed.complete(ctx, []backend.Part{first, second}, backend.Condition{}, data)
	return err
}

func checkPartsTwice(ctx context.Context, e *env) error {
	u, err := e.upload(ctx, e.key("object"), backend.Metadata{})
	if err != nil {
		return err
	}
	defer u.end(ctx)
	data := e.bytes(1000)
	stale, err := u.put(ctx, 1, e.bytes(2000))
	if err != nil {
		return err
	}
	part, err := u.put(ctx, 1, data)
	if err != nil {
		return err
	}
	if err := u.wantParts(ctx, part); err != nil {
		return err
	}
	_, err = u.Complete(ctx, []backend.Part{stale}, backend.Condition{})
	if err := ruleComplete.wantError("complete with a part that was replaced", err, backend.ErrChecksum); err != nil {
		return err
	}
	if err := e.wantAbsent(ctx, ruleComplete, u.key); err != nil {
		return err
	}
	_, err = u.complete(ctx, []backend.Part{part}, backend.Condition{}, data)
	return err
}

func checkPartsLength(ctx context.Context, e *env) error {
	u, err := e.upload(ctx, e.key("object"), backend.Metadata{})
	if err != nil {
		return err
	}
	defer u.end(ctx)
	for _, size := range []int{1000, int(min(u.size, 200_000))} {
		for name, off := range map[string]int64{"short": 1, "long": -1} {
			body := backend.Bytes(e.bytes(size))
			body.Size += off
			if body.Size > u.size {
				continue
			}
			_, err = u.Put(ctx, 1, body)
			if err := rulePartPut.wantError(fmt.Sprintf("put of a part of %d bytes that is too %s", size, name), err, backend.ErrChecksum); err != nil {
				return err
			}
			if err := u.wantParts(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkPartsMissing(ctx context.Context, e *env) error {
	u, err := e.upload(ctx, e.key("object"), backend.Metadata{})
	if err != nil {
		return err
	}
	defer u.end(ctx)
	data := e.bytes(int(u.size) + 100)
	first, err := u.put(ctx, 1, data[:u.size])
	if err != nil {
		return err
	}
	missing := backend.Part{Number: 2, Size: 100, Tag: first.Tag, Checksum: first.Checksum}
	_, err = u.Complete(ctx, []backend.Part{first, missing}, backend.Condition{})
	if err := ruleComplete.wantError("complete with a part that is not there", err, backend.ErrChecksum); err != nil {
		return err
	}
	if err := e.wantAbsent(ctx, ruleComplete, u.key); err != nil {
		return err
	}
	second, err := u.put(ctx, 2, data[u.size:])
	if err != nil {
		return err
	}
	_, err = u.complete(ctx, []backend.Part{first, second}, backend.Condition{}, data)
	return err
}

func checkPartsAbort(ctx context.Context, e *env) error {
	u, err := e.upload(ctx, e.key("object"), backend.Metadata{})
	if err != nil {
		return err
	}
	defer u.end(ctx)
	part, err := u.put(ctx, 1, e.bytes(1000))
	if err != nil {
		return err
	}
	for _, again := range []string{"", ", again"} {
		if err := ruleAbort.wantOK("abort"+again, u.Abort(ctx)); err != nil {
			return err
		}
		if err := u.gone(ctx, "aborted"); err != nil {
			return err
		}
	}
	_, err = u.Complete(ctx, []backend.Part{part}, backend.Condition{})
	return errors.Join(
		rulePartGone.wantError("complete of an upload that was aborted", err, fs.ErrNotExist),
		e.wantAbsent(ctx, ruleAbort, u.key),
	)
}

func checkPartsUnknown(ctx context.Context, e *env) error {
	u, err := e.upload(ctx, e.key("object"), backend.Metadata{})
	if err != nil {
		return err
	}
	defer u.end(ctx)
	data := e.bytes(100)
	part, err := u.put(ctx, 1, data)
	if err != nil {
		return err
	}
	o, err := u.complete(ctx, []backend.Part{part}, backend.Condition{}, data)
	if err != nil {
		return err
	}
	if err := u.gone(ctx, "completed"); err != nil {
		return err
	}
	if err := ruleAbort.wantOK("abort of an upload that was completed", u.Abort(ctx)); err != nil {
		return err
	}
	if err := e.wantContent(ctx, ruleAbort, u.key, data, o.Tag); err != nil {
		return err
	}
	uploader, _ := backend.As[backend.PartUploader](e.inner)
	never, err := uploader.UploadParts(ctx, u.key, backend.PartsOptions{ID: "never-was", PartSize: u.size})
	if err == nil {
		_, err = never.Parts(ctx)
	}
	return rulePartGone.wantError("an upload that never was", err, fs.ErrNotExist)
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

func checkPartsIfAbsent(ctx context.Context, e *env) error {
	absent := backend.Condition{Absent: true}
	key, data := e.key("object"), e.bytes(1000)
	u, parts, err := e.oneSmall(ctx, key, data)
	if err != nil {
		return err
	}
	defer u.end(ctx)
	if !e.Properties().Complete.IfAbsent {
		_, err := u.Complete(ctx, parts, absent)
		return errors.Join(ruleUndeclared.wantError("complete if absent", err, errors.ErrUnsupported), e.wantAbsent(ctx, ruleUndeclared, key))
	}
	there, err := e.put(ctx, key, []byte("in the way"))
	if err != nil {
		return err
	}
	_, err = u.Complete(ctx, parts, absent)
	if err := ruleCondition.wantError("complete if absent, over an object", err, absentFailing...); err != nil {
		return err
	}
	if err := e.wantContent(ctx, ruleCondition, key, []byte("in the way"), there.Tag); err != nil {
		return err
	}
	if err := e.remove(ctx, key); err != nil {
		return err
	}
	// The failure was definite, so the upload is still there.
	if err := u.wantParts(ctx, parts...); err != nil {
		return err
	}
	_, err = u.complete(ctx, parts, absent, data)
	return err
}

func checkPartsIfMatch(ctx context.Context, e *env) error {
	key, data := e.key("object"), e.bytes(1000)
	u, parts, err := e.oneSmall(ctx, key, data)
	if err != nil {
		return err
	}
	defer u.end(ctx)
	current, before, stale, err := e.twoVersions(ctx, key, 100)
	if err != nil {
		return err
	}
	if !e.Properties().Complete.IfMatch {
		_, err := u.Complete(ctx, parts, backend.Condition{Match: current.Tag})
		return errors.Join(ruleUndeclared.wantError("complete if match", err, errors.ErrUnsupported),
			e.wantContent(ctx, ruleUndeclared, key, before, current.Tag))
	}
	_, err = u.Complete(ctx, parts, backend.Condition{Match: stale})
	if err := ruleCondition.wantError("complete if match of a stale version", err, backend.ErrPrecondition); err != nil {
		return err
	}
	if err := e.wantContent(ctx, ruleCondition, key, before, current.Tag); err != nil {
		return err
	}
	if _, err := u.complete(ctx, parts, backend.Condition{Match: current.Tag}, data); err != nil {
		return err
	}
	// One that has to match something does not create.
	gone := e.key("gone")
	u, parts, err = e.oneSmall(ctx, gone, data)
	if err != nil {
		return err
	}
	defer u.end(ctx)
	_, err = u.Complete(ctx, parts, backend.Condition{Match: current.Tag})
	return errors.Join(
		ruleCondition.wantError("complete if match of an absent object", err, backend.ErrPrecondition),
		e.wantAbsent(ctx, ruleCondition, gone),
	)
}

func checkPartsRace(ctx context.Context, e *env) error {
	p := e.Properties()
	if _, ok := backend.As[backend.PartUploader](e.inner); !ok {
		return e.skip("the backend is no PartUploader")
	}
	if !p.Complete.IfAbsent && !p.Complete.IfMatch {
		return e.skip("no condition is declared")
	}
	for round := range rounds {
		key := e.key(fmt.Sprintf("object%d", round))
		if p.Complete.IfAbsent {
			if err := e.raceCompletes(ctx, "complete if absent", key, backend.Condition{Absent: true}, absentFailing...); err != nil {
				return err
			}
		}
		if p.Complete.IfMatch {
			o, err := e.put(ctx, key, e.bytes(100))
			if err != nil {
				return err
			}
			if err := e.raceCompletes(ctx, "complete if match", key, backend.Condition{Match: o.Tag}, backend.ErrPrecondition); err != nil {
				return err
			}
		}
	}
	return nil
}

// raceCompletes completes as many uploads of one key at once.
func (e *env) raceCompletes(ctx context.Context, what, key string, c backend.Condition, classes ...error) error {
	uploads := make([]*uploading, racers)
	parts := make([][]backend.Part, racers)
	bodies := make([][]byte, racers)
	for i := range uploads {
		bodies[i] = bytes.Repeat([]byte{byte('a' + i)}, 1000+i)
		var err error
		if uploads[i], parts[i], err = e.oneSmall(ctx, key, bodies[i]); err != nil {
			return err
		}
		defer uploads[i].end(ctx)
	}
	won := make([]backend.Object, racers)
	i, err := winner(what, race(racers, func(i int) error {
		return settle(ctx, func() (err error) {
			won[i], err = uploads[i].Complete(ctx, parts[i], c)
			return err
		})
	}), classes...)
	if err != nil {
		return err
	}
	return e.wantContent(ctx, ruleAtomic, key, bodies[i], won[i].Tag)
}
