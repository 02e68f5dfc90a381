package backendtest

import (
	"context"
	"errors"
	"io/fs"

	"github.com/objrepl/replication/backend"
)

var outageChecks = []Check{
	{"store-missing", "a store that is missing is ErrStoreNotFound, never an absent object", checkStoreMissing},
	{"store-unreachable", "a store out of reach is ErrUnavailable, never an absent object", checkStoreUnreachable},
}

func checkStoreMissing(ctx context.Context, e *env) error {
	if e.opts.Missing == nil {
		return e.skip("Options.Missing is not set")
	}
	return e.outage(ctx, ruleStoreMissing, e.opts.Missing, backend.ErrStoreNotFound)
}

func checkStoreUnreachable(ctx context.Context, e *env) error {
	if e.opts.Unreachable == nil {
		return e.skip("Options.Unreachable is not set")
	}
	return e.outage(ctx, ruleUnavailable, e.opts.Unreachable, backend.ErrUnavailable)
}

// outage checks that no method takes a store that is not there for an empty
// one: that is how a replica gets deleted.
func (e *env) outage(ctx context.Context, r rule, open Opener, class error) error {
	want := func(what string, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return ruleNotAbsent.broken("%s: got error %q, want one that does not wrap fs.ErrNotExist", what, err)
		}
		return r.wantError(what, err, class)
	}
	b, err := open(ctx)
	if err != nil {
		return want("open the store", err)
	}
	defer b.Close()
	key := e.key("object")
	_, stat := b.Stat(ctx, key)
	_, reader, opened := b.Open(ctx, key, backend.OpenOptions{})
	if opened == nil {
		reader.Close()
	}
	_, put := b.Put(ctx, key, backend.Bytes([]byte("x")), backend.PutOptions{})
	del := b.Delete(ctx, key, backend.DeleteOptions{})
	var list error
	for _, err := range b.List(ctx, backend.ListOptions{Prefix: e.prefix}) {
		list = err
	}
	faults := errors.Join(want("stat", stat), want("open", opened), want("put", put), want("delete", del), want("list", list))
	if lister, ok := backend.As[backend.UploadLister](b); ok {
		_, uploads := lister.ListUploads(ctx, key)
		faults = errors.Join(faults, want("list uploads", uploads))
	}
	return faults
}
