package backendtest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

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
