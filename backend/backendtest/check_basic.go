package backendtest

import (
	"context"
	"errors"
	"io/fs"

	"github.com/objrepl/replication/backend"
)

var basicChecks = []Check{
	{"put-get", "an object comes back as it was written", checkPutGet},
	{"put-empty", "an object may have no bytes", checkPutEmpty},
	{"put-large", "a large object comes back as it was written", checkPutLarge},
	{"absent", "an absent object is fs.ErrNotExist", checkAbsent},
	{"delete", "a deleted object is absent, to be written again", checkDelete},
	{"delete-absent", "deleting an absent object succeeds", checkDeleteAbsent},
}

func checkPutGet(ctx context.Context, e *env) error {
	key, data := e.key("dir/object.bin"), e.bytes(10_000)
	o, err := e.put(ctx, key, data)
	if err != nil {
		return err
	}
	if err := e.wantContent(ctx, ruleOpenObject, key, data, o.Tag); err != nil {
		return err
	}
	data = e.bytes(777)
	if o, err = e.put(ctx, key, data); err != nil {
		return err
	}
	return e.wantContent(ctx, ruleWhole, key, data, o.Tag)
}

func checkPutEmpty(ctx context.Context, e *env) error {
	key := e.key("empty")
	o, err := e.put(ctx, key, nil)
	if err != nil {
		return err
	}
	if err := e.wantContent(ctx, ruleOpenObject, key, nil, o.Tag); err != nil {
		return err
	}
	return e.wantList(ctx, ruleListComplete, backend.ListOptions{Prefix: e.prefix}, []string{key})
}

// large returns the size of a large object that one Put takes.
func (e *env) large() int {
	size := e.opts.LargeSize
	if limit := e.Properties().MaxPut; limit > 0 {
		size = min(size, limit)
	}
	return int(size)
}

func checkPutLarge(ctx context.Context, e *env) error {
	key, data := e.key("large"), e.bytes(e.large())
	o, err := e.put(ctx, key, data)
	if err != nil {
		return err
	}
	return e.wantContent(ctx, ruleOpenObject, key, data, o.Tag)
}

func checkAbsent(ctx context.Context, e *env) error {
	for _, name := range []string{"absent", "no/such/dir/absent"} {
		if err := e.wantAbsent(ctx, ruleAbsent, e.key(name)); err != nil {
			return err
		}
	}
	// A key that only begins other keys is not an object.
	if _, err := e.put(ctx, e.key("dir/object"), []byte("x")); err != nil {
		return err
	}
	for _, name := range []string{"dir", "di", "dir/obj", "dir/object/below"} {
		if err := e.wantAbsent(ctx, ruleAbsent, e.key(name)); err != nil {
			return err
		}
	}
	_, _, err := e.read(ctx, e.key("absent"), backend.OpenOptions{Offset: 5, Length: 5})
	return ruleAbsent.wantError("open a range of an absent object", err, fs.ErrNotExist)
}

func checkDelete(ctx context.Context, e *env) error {
	key, beside := e.key("dir/object"), e.key("dir/object2")
	if _, err := e.put(ctx, key, []byte("first")); err != nil {
		return err
	}
	o, err := e.put(ctx, beside, []byte("beside"))
	if err != nil {
		return err
	}
	for range 2 {
		if err := ruleDelete.wantOK("delete", e.Delete(ctx, key, backend.DeleteOptions{})); err != nil {
			return err
		}
		if err := e.wantAbsent(ctx, ruleDelete, key); err != nil {
			return err
		}
		if err := e.wantContent(ctx, ruleDelete, beside, []byte("beside"), o.Tag); err != nil {
			return err
		}
		again, err := e.put(ctx, key, []byte("again"))
		if err != nil {
			return err
		}
		if err := e.wantContent(ctx, ruleWhole, key, []byte("again"), again.Tag); err != nil {
			return err
		}
	}
	return nil
}

func checkDeleteAbsent(ctx context.Context, e *env) error {
	never := e.Delete(ctx, e.key("never/was"), backend.DeleteOptions{})
	if _, err := e.put(ctx, e.key("was"), []byte("x")); err != nil {
		return err
	}
	first := e.Delete(ctx, e.key("was"), backend.DeleteOptions{})
	second := e.Delete(ctx, e.key("was"), backend.DeleteOptions{})
	return errors.Join(
		ruleDelete.wantOK("delete what never was", never),
		ruleDelete.wantOK("delete", first),
		ruleDelete.wantOK("delete once more", second),
	)
}
