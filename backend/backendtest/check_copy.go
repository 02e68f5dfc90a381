package backendtest

import (
	"context"
	"errors"
	"io/fs"
	"time"

	"github.com/objrepl/replication/backend"
)

var copyChecks = []Check{
	{"copy", "a copy has the bytes and the metadata, and a life of its own", checkCopy},
	{"copy-from-match", "FromMatch copies that version alone", checkCopyFromMatch},
	{"copy-if-absent", "Copy on Absent creates, and does not replace; or is refused, as declared", checkCopyIfAbsent},
	{"copy-if-match", "Copy on Match replaces that version alone; or is refused, as declared", checkCopyIfMatch},
}

// copy copies, where the store can, and checks the answer.
func (e *env) copy(ctx context.Context, from, to string, opts backend.CopyOptions) (backend.Object, error) {
	copier, ok := backend.As[backend.Copier](e.inner)
	if !ok {
		return backend.Object{}, e.skip("the backend is no Copier")
	}
	e.mu.Lock()
	e.written[to] = true
	e.mu.Unlock()
	o, err := copier.Copy(ctx, from, to, opts)
	if err == nil && (o.Key != to || o.Tag == "") {
		return o, ruleCopy.broken("copy to %q: got key %q, tag %q; want that key and a tag", to, o.Key, o.Tag)
	}
	return o, err
}

// mustCopy is copy of what nothing speaks against.
func (e *env) mustCopy(ctx context.Context, from, to string, opts backend.CopyOptions, data []byte) (backend.Object, error) {
	o, err := e.copy(ctx, from, to, opts)
	if skip := (skipped{}); errors.As(err, &skip) {
		return o, err
	}
	if err != nil {
		return o, ruleCopy.broken("copy %q to %q: got error %w, want success", from, to, err)
	}
	return o, e.wantContent(ctx, ruleCopy, to, data, o.Tag)
}

func checkCopy(ctx context.Context, e *env) error {
	from, to, data := e.key("dir/from & so on"), e.key("other/to + on?"), e.bytes(1000)
	m := backend.Metadata{
		ContentType: "text/x-test", CacheControl: "no-cache", ModTime: time.Unix(1_700_000_000, 5000),
		User: map[string]string{"one": "1", backend.ReservedPrefix + "two": "2"},
	}
	if _, err := e.putWith(ctx, from, data, backend.PutOptions{Metadata: m}); err != nil {
		return err
	}
	original, err := e.stat(ctx, from)
	if err != nil {
		return err
	}
	if _, err := e.mustCopy(ctx, from, to, backend.CopyOptions{}, data); err != nil {
		return err
	}
	copied, err := e.stat(ctx, to)
	if err != nil {
		return err
	}
	if d := metadataDifference(*copied.Metadata, *original.Metadata); d != "" {
		return ruleCopy.broken("metadata of the copy: %s", d)
	}
	if err := e.wantContent(ctx, ruleCopy, from, data, original.Tag); err != nil {
		return err
	}
	other := e.bytes(500)
	if _, err := e.put(ctx, from, other); err != nil {
		return err
	}
	if err := e.wantContent(ctx, ruleCopy, to, data, copied.Tag); err != nil {
		return err
	}
	if _, err := e.mustCopy(ctx, from, to, backend.CopyOptions{}, other); err != nil {
		return err // in the place of another
	}
	if err := e.remove(ctx, from); err != nil {
		return err
	}
	if err := e.wantContent(ctx, ruleCopy, to, other, ""); err != nil {
		return err
	}
	_, err = e.copy(ctx, from, to, backend.CopyOptions{})
	return errors.Join(
		ruleCopyFrom.wantError("copy of an absent object", err, fs.ErrNotExist),
		e.wantContent(ctx, ruleCopyFrom, to, other, ""),
	)
}

func checkCopyFromMatch(ctx context.Context, e *env) error {
	from, to := e.key("from"), e.key("to")
	current, data, stale, err := e.twoVersions(ctx, from, 100)
	if err != nil {
		return err
	}
	_, err = e.copy(ctx, from, to, backend.CopyOptions{FromMatch: stale})
	if skip := (skipped{}); errors.As(err, &skip) {
		return err
	}
	if err := ruleCopyFrom.wantError("copy of a stale version", err, backend.ErrPrecondition); err != nil {
		return err
	}
	if err := e.wantAbsent(ctx, ruleCopyFrom, to); err != nil {
		return err
	}
	_, err = e.mustCopy(ctx, from, to, backend.CopyOptions{FromMatch: current.Tag}, data)
	return err
}

func checkCopyIfAbsent(ctx context.Context, e *env) error {
	from, to, taken := e.key("from"), e.key("to"), e.key("taken")
	data, other := e.bytes(100), e.bytes(100)
	if _, err := e.put(ctx, from, data); err != nil {
		return err
	}
	o, err := e.put(ctx, taken, other)
	if err != nil {
		return err
	}
	opts := backend.CopyOptions{If: backend.Condition{Absent: true}}
	_, err = e.copy(ctx, from, taken, opts)
	if skip := (skipped{}); errors.As(err, &skip) {
		return err
	}
	if !e.Properties().Copy.IfAbsent {
		return errors.Join(
			ruleUndeclared.wantError("copy if absent", err, errors.ErrUnsupported),
			e.wantContent(ctx, ruleUndeclared, taken, other, o.Tag),
		)
	}
	if err := ruleCondition.wantError("copy if absent, over an object", err, absentFailing...); err != nil {
		return err
	}
	if err := e.wantContent(ctx, ruleCondition, taken, other, o.Tag); err != nil {
		return err
	}
	_, err = e.mustCopy(ctx, from, to, opts, data)
	return err
}

func checkCopyIfMatch(ctx context.Context, e *env) error {
	from, to := e.key("from"), e.key("to")
	current, old, stale, err := e.twoVersions(ctx, to, 100)
	if err != nil {
		return err
	}
	data := e.bytes(100)
	if _, err := e.put(ctx, from, data); err != nil {
		return err
	}
	_, err = e.copy(ctx, from, to, backend.CopyOptions{If: backend.Condition{Match: stale}})
	if skip := (skipped{}); errors.As(err, &skip) {
		return err
	}
	if !e.Properties().Copy.IfMatch {
		return errors.Join(
			ruleUndeclared.wantError("copy if match", err, errors.ErrUnsupported),
			e.wantContent(ctx, ruleUndeclared, to, old, current.Tag),
		)
	}
	if err := ruleCondition.wantError("copy if match of a stale version", err, backend.ErrPrecondition); err != nil {
		return err
	}
	if err := e.wantContent(ctx, ruleCondition, to, old, current.Tag); err != nil {
		return err
	}
	_, err = e.mustCopy(ctx, from, to, backend.CopyOptions{If: backend.Condition{Match: current.Tag}}, data)
	return err
}
