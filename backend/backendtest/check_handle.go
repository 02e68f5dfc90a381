package backendtest

import (
	"context"
	"errors"
	"io/fs"
	"time"

	"github.com/objrepl/replication/backend"
)

var handleChecks = []Check{
	{"errors", "errors carry operation, backend and key", checkErrors},
	{"reopen", "opening again shows the same objects", checkReopen},
	{"close", "use after Close fails or is harmless", checkClose},
	{"sweep", "sweeping leftovers of long ago removes no object", checkSweep},
}

func checkErrors(ctx context.Context, e *env) error {
	key := e.key("absent")
	_, stat := e.Stat(ctx, key)
	_, _, open := e.Open(ctx, key, backend.OpenOptions{})
	_, put := e.Put(ctx, key, wrongSize([]byte("abc"), 4), backend.PutOptions{})
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	del := e.Delete(cancelled, key, backend.DeleteOptions{})
	_, list := e.list(cancelled, backend.ListOptions{Prefix: e.prefix})
	name := ""
	for op, err := range map[string]error{"stat": stat, "open": open, "put": put, "delete": del, "list": list} {
		var carrier *backend.Error
		if !errors.As(err, &carrier) {
			return ruleError.broken("%s: got error %v of type %T, want a *backend.Error in it", op, err, err)
		}
		if carrier.Op != op || carrier.Backend == "" || (op != "list" && carrier.Key != key) {
			return ruleError.broken("%s %q: got op %q, backend %q, key %q in the error; want that op and key and a backend", op, key, carrier.Op, carrier.Backend, carrier.Key)
		}
		if name != "" && carrier.Backend != name {
			return ruleError.broken("%s: got backend %q in the error, %q in another; want one", op, carrier.Backend, name)
		}
		name = carrier.Backend
	}
	return nil
}

func checkReopen(ctx context.Context, e *env) error {
	key, data := e.key("object"), e.bytes(100)
	o, err := e.put(ctx, key, data)
	if err != nil {
		return err
	}
	other, err := e.open(ctx)
	if err != nil {
		return err
	}
	defer other.Close()
	if got, want := other.Properties().Location, e.Properties().Location; got != want {
		return ruleProperties.broken("location of the same store: got %q and %q, want one", want, got)
	}
	stat, err := other.Stat(ctx, key)
	if err != nil || stat.Tag != o.Tag {
		return ruleTag.broken("stat %q through a second backend: got error %v, tag %q; want tag %q", key, err, stat.Tag, o.Tag)
	}
	return nil
}

func checkClose(ctx context.Context, e *env) error {
	key := e.key("object")
	if _, err := e.put(ctx, key, []byte("x")); err != nil {
		return err
	}
	closed, err := e.open(ctx)
	if err != nil {
		return err
	}
	if err := ruleClose.wantOK("close", closed.Close()); err != nil {
		return err
	}
	returned := e.within(func() error {
		if _, err := closed.Stat(ctx, key); errors.Is(err, fs.ErrNotExist) {
			return ruleNotAbsent.broken("stat in a closed backend: got %q for an object that is there, want another error or success", err)
		}
		if _, r, err := closed.Open(ctx, key, backend.OpenOptions{}); err == nil {
			r.Close()
		}
		_, _ = closed.Put(ctx, key, backend.Bytes([]byte("y")), backend.PutOptions{})
		for _, err := range closed.List(ctx, backend.ListOptions{Prefix: e.prefix}) {
			_ = err
		}
		_ = closed.Delete(ctx, e.key("absent"), backend.DeleteOptions{})
		return nil
	})
	if returned != nil {
		return returned
	}
	if _, err := e.Stat(ctx, key); err != nil {
		return ruleClose.broken("stat in another backend after that: got error %w, want success", err)
	}
	return nil
}

func checkSweep(ctx context.Context, e *env) error {
	sweeper, ok := backend.As[backend.Sweeper](e.inner)
	if !ok {
		return e.skip("the backend is no Sweeper")
	}
	key := e.key("object")
	o, err := e.put(ctx, key, []byte("x"))
	if err != nil {
		return err
	}
	n, err := sweeper.Sweep(ctx, time.Unix(0, 0))
	if err != nil || n != 0 {
		return ruleSweep.broken("sweep of leftovers from before 1970: got %d removed, error %v; want none", n, err)
	}
	return e.wantContent(ctx, ruleSweep, key, []byte("x"), o.Tag)
}
