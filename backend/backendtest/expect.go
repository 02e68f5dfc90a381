package backendtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	"github.com/objrepl/replication/backend"
)

// put writes an object that nothing speaks against, and checks the answer.
func (e *env) put(ctx context.Context, key string, data []byte) (backend.Object, error) {
	return e.putWith(ctx, key, data, backend.PutOptions{})
}

func (e *env) putWith(ctx context.Context, key string, data []byte, opts backend.PutOptions) (backend.Object, error) {
	o, err := e.Put(ctx, key, backend.Bytes(data), opts)
	if err != nil {
		return o, fmt.Errorf("put %q, %d bytes: got error %w, want success", key, len(data), err)
	}
	return o, wantAnswer(o, key, len(data))
}

// wantAnswer checks what a successful Put returned.
func wantAnswer(o backend.Object, key string, size int) error {
	if o.Key != key || o.Size != int64(size) || o.Tag == "" {
		return rulePut.broken("put %q: got key %q, size %d, tag %q; want that key, size %d and a tag", key, o.Key, o.Size, o.Tag, size)
	}
	return nil
}

// read opens an object and reads to the end.
func (e *env) read(ctx context.Context, key string, opts backend.OpenOptions) (backend.Object, []byte, error) {
	o, r, err := e.Open(ctx, key, opts)
	if err != nil {
		return o, nil, err
	}
	data, err := io.ReadAll(r)
	return o, data, errors.Join(err, r.Close())
}

// mustRead is read of what has to be there.
func (e *env) mustRead(ctx context.Context, key string, opts backend.OpenOptions) (backend.Object, []byte, error) {
	o, data, err := e.read(ctx, key, opts)
	if err != nil {
		err = ruleOpenObject.broken("open and read %q: got error %w, want success", key, err)
	}
	return o, data, err
}

// stat is Stat of what has to be there.
func (e *env) stat(ctx context.Context, key string) (backend.Object, error) {
	o, err := e.Stat(ctx, key)
	if err != nil {
		err = ruleWhole.broken("stat %q: got error %w, want the object that was written", key, err)
	}
	return o, err
}

// remove is Delete without a condition.
func (e *env) remove(ctx context.Context, key string) error {
	return ruleDelete.wantOK(fmt.Sprintf("delete %q", key), e.Delete(ctx, key, backend.DeleteOptions{}))
}

// wantContent checks that an object is exactly this version; tag may be empty
// where it is not known.
func (e *env) wantContent(ctx context.Context, r rule, key string, data []byte, tag backend.Tag) error {
	stat, err := e.Stat(ctx, key)
	if err != nil {
		return r.broken("stat %q: got error %w, want an object of %d bytes", key, err, len(data))
	}
	opened, got, err := e.read(ctx, key, backend.OpenOptions{})
	if err != nil {
		return r.broken("open and read %q: got error %w, want %d bytes", key, err, len(data))
	}
	if d := difference(got, data); d != "" {
		return r.broken("content of %q: %s", key, d)
	}
	for op, o := range map[string]backend.Object{"stat": stat, "open": opened} {
		if o.Key != key || o.Size != int64(len(data)) {
			return r.broken("%s %q: got key %q, size %d; want that key, size %d", op, key, o.Key, o.Size, len(data))
		}
		if o.Tag == "" || (tag != "" && o.Tag != tag) {
			return ruleTag.broken("%s %q: got tag %q, want %q", op, key, o.Tag, tag)
		}
	}
	return nil
}

// wantAbsent checks that an object is in no answer.
func (e *env) wantAbsent(ctx context.Context, r rule, key string) error {
	if _, err := e.Stat(ctx, key); !errors.Is(err, fs.ErrNotExist) {
		return r.broken("stat %q: got error %v, want fs.ErrNotExist since nothing should be there", key, err)
	}
	if _, data, err := e.read(ctx, key, backend.OpenOptions{}); !errors.Is(err, fs.ErrNotExist) {
		return r.broken("open %q: got error %v and %d bytes, want fs.ErrNotExist since nothing should be there", key, err, len(data))
	}
	listed, err := e.list(ctx, backend.ListOptions{Prefix: key})
	if err != nil {
		return err
	}
	for _, o := range listed {
		if o.Key == key {
			return r.broken("list: got %q, want it absent", key)
		}
	}
	return nil
}

// list collects a whole listing.
func (e *env) list(ctx context.Context, opts backend.ListOptions) ([]backend.Object, error) {
	var all []backend.Object
	for page, err := range e.List(ctx, opts) {
		if err != nil {
			return all, ruleListComplete.broken("list %s: got error %w, want success", showList(opts), err)
		}
		for _, o := range page {
			if o.Problem != nil {
				return all, ruleProblem.broken("list %s: %q has problem %q, want an object", showList(opts), o.Key, o.Problem)
			}
		}
		all = append(all, page...)
	}
	return all, nil
}

// wantList checks that a listing has exactly these keys, given in byte order.
func (e *env) wantList(ctx context.Context, r rule, opts backend.ListOptions, want []string) error {
	objects, err := e.list(ctx, opts)
	if err != nil {
		return err
	}
	got := keysOf(objects)
	if !e.Properties().Ordered {
		slices.Sort(got)
	} else if err := wantOrder(got); err != nil {
		return err
	}
	if !slices.Equal(got, want) {
		return r.broken("list %s: got %s, want %s", showList(opts), e.showKeys(got), e.showKeys(want))
	}
	return nil
}

// wantOrder checks that keys strictly increase.
func wantOrder(keys []string) error {
	for i := 1; i < len(keys); i++ {
		if keys[i-1] >= keys[i] {
			return ruleOrder.broken("list: got %q and then %q, want increasing keys", keys[i-1], keys[i])
		}
	}
	return nil
}

func keysOf(objects []backend.Object) []string {
	keys := make([]string, len(objects))
	for i, o := range objects {
		keys[i] = o.Key
	}
	return keys
}

func showList(o backend.ListOptions) string {
	return fmt.Sprintf("{prefix %q, after %q, until %q}", o.Prefix, o.After, o.Until)
}

// showKeys shows a few keys without what they have in common.
func (e *env) showKeys(keys []string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d keys", len(keys))
	for i, key := range keys[:min(len(keys), 12)] {
		sep := ", "
		if i == 0 {
			sep = ": "
		}
		key = strings.TrimPrefix(key, e.prefix)
		fmt.Fprintf(&b, "%s%q", sep, key[:min(len(key), 80)])
		if len(key) > 80 {
			fmt.Fprintf(&b, " and %d bytes more", len(key)-80)
		}
	}
	if len(keys) > 12 {
		b.WriteString(", ...")
	}
	return b.String()
}

// difference describes in what two contents differ; empty if in nothing.
func difference(got, want []byte) string {
	if bytes.Equal(got, want) {
		return ""
	}
	i := 0
	for i < min(len(got), len(want)) && got[i] == want[i] {
		i++
	}
	return fmt.Sprintf("got %d bytes, want %d; they differ from byte %d on", len(got), len(want), i)
}
