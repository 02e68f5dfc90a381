package backendtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/objrepl/replication/backend"
)

var listChecks = []Check{
	{"list-order", "keys come in byte order, whatever they hold", checkListOrder},
	{"list-prefix", "a prefix selects by bytes, not by path segments", checkListPrefix},
	{"list-prefix-in-rune", "a prefix may end inside a multi-byte rune", checkListPrefixInRune},
	{"list-after", "After is exclusive, at every key and between", checkListAfter},
	{"list-until", "Until is inclusive, at every key and between", checkListUntil},
	{"list-range", "prefix, After and Until bound a listing together", checkListRange},
	{"list-empty", "a listing without keys is empty and no error", checkListEmpty},
	{"list-break", "a listing may be left after any page", checkListBreak},
	{"list-page-owned", "pages belong to the caller", checkListPageOwned},
}

// awkward are names whose order differs in bytes, in UTF-16, in a collation
// and in a walk of directories. None is another's directory.
var awkward = []string{
	"!", "0", "10", "9", "A", "Z", "a!", "a-b", "a.b", "a/b", "a/b0", "a/c/d", "a/c.d", "a0", "a_b", "aB", "ab", "b/a",
	"b/a!x", "dir-1/x", "dir.1/x", "dir/sub-1/x", "dir/sub/x", "dir/sub0/x", "dir/x", "dir0", "x~", "z",
	"é", "e\u0301", "ß", "ü/x", "日本/語", "日本語", "\uff21", "\ue000", "\ufffd", "😀", "😀/x!", "𝔘",
}

// populate writes small objects and returns the keys in byte order, without
// those that the store refuses.
func (e *env) populate(ctx context.Context, names []string) ([]string, error) {
	kept := make([]string, len(names))
	for _, err := range parallel(len(names), func(i int) error {
		key := e.key(names[i])
		if check := e.Properties().CheckKey; check != nil && check(key) != nil {
			return nil
		}
		_, err := e.Put(ctx, key, backend.Bytes([]byte(names[i])), backend.PutOptions{})
		if err == nil {
			kept[i] = key
		} else if errors.Is(err, backend.ErrInvalidKey) {
			err = nil
		}
		return err
	}) {
		if err != nil {
			return nil, fmt.Errorf("write what is to be listed: %w", err)
		}
	}
	slices.Sort(kept)
	if kept = slices.DeleteFunc(kept, func(key string) bool { return key == "" }); len(kept) < 10 {
		return nil, ruleKey.broken("got %d of %d keys accepted, want at least 10", len(kept), len(names))
	}
	return kept, nil
}

// selected returns the keys that a listing has to have.
func selected(keys []string, o backend.ListOptions) []string {
	var out []string
	for _, key := range keys {
		if strings.HasPrefix(key, o.Prefix) && key > o.After && (o.Until == "" || key <= o.Until) {
			out = append(out, key)
		}
	}
	return out
}

func (e *env) wantSelected(ctx context.Context, r rule, keys []string, o backend.ListOptions) error {
	return e.wantList(ctx, r, o, selected(keys, o))
}

func checkListOrder(ctx context.Context, e *env) error {
	keys, err := e.populate(ctx, awkward)
	if err != nil {
		return err
	}
	return e.wantSelected(ctx, ruleListComplete, keys, backend.ListOptions{Prefix: e.prefix})
}

func checkListPrefix(ctx context.Context, e *env) error {
	keys, err := e.populate(ctx, awkward)
	if err != nil {
		return err
	}
	for _, name := range []string{"a", "a/", "a/b", "a/b0", "a/c", "ab", "d", "dir", "dir/", "dir/sub", "dir/sub/", "dir/sub/x", "dir/sub/xy", "日本", "日本/", "😀", "A", "none", "none/", "/"} {
		if err := e.wantSelected(ctx, ruleListRange, keys, backend.ListOptions{Prefix: e.key(name)}); err != nil {
			return err
		}
	}
	return nil
}

func checkListPrefixInRune(ctx context.Context, e *env) error {
	keys, err := e.populate(ctx, awkward)
	if err != nil {
		return err
	}
	for _, prefix := range []string{"\xc3", "\xe6", "\xe6\x97", "日\xe6", "\xf0\x9f", "\xf0\x9f\x98", "\xef", "\xc3\xa9x"} {
		if err := e.wantSelected(ctx, ruleListRange, keys, backend.ListOptions{Prefix: e.key(prefix)}); err != nil {
			return err
		}
	}
	return nil
}

// bounds returns keys to start after or stop at: every one, and ones beside
// them that are no objects, the prefix itself and what is outside of it.
func (e *env) bounds(keys []string) []string {
	out := slices.Clone(keys)
	for _, key := range keys {
		out = append(out, key+"!", key+"0")
		if check := e.Properties().CheckKey; check == nil || check(key[:len(key)-1]) == nil {
			out = append(out, key[:len(key)-1])
		}
	}
	above := e.prefix[:len(e.prefix)-1] + "0"
	return append(out, e.prefix, e.prefix[:len(e.prefix)-1], e.key("\U0010ffff"), above, "\x01", "\U0010fffe")
}

// fewer are some of these kinds of names, since each is listed from several times.
var fewer = []string{"a!", "a-b", "a/b", "a/c!", "a/c/d", "a/c0", "a0", "ab", "b/c/d/e", "c", "dir/x", "dir0", "é", "\ue000", "😀"}

func checkListAfter(ctx context.Context, e *env) error {
	keys, err := e.populate(ctx, fewer)
	if err != nil {
		return err
	}
	for _, after := range e.bounds(keys) {
		if err := e.wantSelected(ctx, ruleListRange, keys, backend.ListOptions{Prefix: e.prefix, After: after}); err != nil {
			return err
		}
	}
	return nil
}

func checkListUntil(ctx context.Context, e *env) error {
	keys, err := e.populate(ctx, fewer)
	if err != nil {
		return err
	}
	for _, until := range e.bounds(keys) {
		if err := e.wantSelected(ctx, ruleListRange, keys, backend.ListOptions{Prefix: e.prefix, Until: until}); err != nil {
			return err
		}
	}
	return nil
}

func checkListRange(ctx context.Context, e *env) error {
	keys, err := e.populate(ctx, fewer)
	if err != nil {
		return err
	}
	bounds := append(e.bounds(keys), "")
	pick := func() string { return bounds[e.intN(len(bounds))] }
	prefixes := []string{e.prefix, e.prefix, e.key("a"), e.key("a/"), e.key("dir/")}
	for range 60 {
		opts := backend.ListOptions{Prefix: prefixes[e.intN(len(prefixes))], After: pick(), Until: pick()}
		if err := e.wantSelected(ctx, ruleListRange, keys, opts); err != nil {
			return err
		}
	}
	// Consecutive ranges, as shards are, cover every key once.
	low := ""
	var all []string
	for i := 3; ; i += 4 {
		opts := backend.ListOptions{Prefix: e.prefix, After: low}
		if i < len(keys) {
			opts.Until = keys[i]
		}
		part, err := e.list(ctx, opts)
		if err != nil {
			return err
		}
		all = append(all, keysOf(part)...)
		if low = opts.Until; low == "" {
			break
		}
	}
	if slices.Sort(all); !slices.Equal(all, keys) {
		return ruleListRange.broken("list of consecutive ranges: got %s, want %s", e.showKeys(all), e.showKeys(keys))
	}
	return nil
}

func checkListEmpty(ctx context.Context, e *env) error {
	none := func(o backend.ListOptions) error { return e.wantList(ctx, ruleListComplete, o, nil) }
	if err := none(backend.ListOptions{Prefix: e.prefix}); err != nil {
		return err
	}
	if _, err := e.put(ctx, e.key("dir/object"), []byte("x")); err != nil {
		return err
	}
	for _, o := range []backend.ListOptions{
		{Prefix: e.key("other")},
		{Prefix: e.key("dir/object/")},
		{Prefix: e.prefix, After: e.key("dir/object")},
		{Prefix: e.prefix, Until: e.key("dir/objec")},
		{Prefix: e.prefix, After: e.key("x"), Until: e.key("a")},
		{Prefix: e.prefix, After: e.key("dir/object"), Until: e.key("dir/object")},
	} {
		if err := none(o); err != nil {
			return err
		}
	}
	if err := e.remove(ctx, e.key("dir/object")); err != nil {
		return err
	}
	return none(backend.ListOptions{Prefix: e.prefix})
}

func checkListBreak(ctx context.Context, e *env) error {
	keys, err := e.populate(ctx, fewer)
	if err != nil {
		return err
	}
	// Reading on from each page that a listing is left at is a whole listing.
	var got []string
	opts := backend.ListOptions{Prefix: e.prefix}
	for range len(keys) + 1 {
		more := false
		for page, err := range e.List(ctx, opts) {
			if err != nil {
				return err
			}
			if len(page) > 0 {
				got, more = append(got, keysOf(page)...), true
				opts.After = page[len(page)-1].Key
				break
			}
		}
		if !more {
			break
		}
	}
	if e.Properties().Ordered && !slices.Equal(got, keys) {
		return ruleListComplete.broken("list resumed after each first page: got %s, want %s", e.showKeys(got), e.showKeys(keys))
	}
	return nil
}

func checkListPageOwned(ctx context.Context, e *env) error {
	keys, err := e.populate(ctx, fewer)
	if err != nil {
		return err
	}
	var pages [][]backend.Object
	var got []string
	for page, err := range e.List(ctx, backend.ListOptions{Prefix: e.prefix}) {
		if err != nil {
			return err
		}
		got = append(got, keysOf(page)...)
		pages = append(pages, page)
	}
	var kept []string
	for _, page := range pages {
		kept = append(kept, keysOf(page)...)
	}
	if !slices.Equal(kept, got) {
		return ruleListPage.broken("pages kept to the end: got %s, want %s as at first", e.showKeys(kept), e.showKeys(got))
	}
	got = nil
	for page, err := range e.List(ctx, backend.ListOptions{Prefix: e.prefix}) {
		if err != nil {
			return err
		}
		got = append(got, keysOf(page)...)
		for i := range page {
			if page[i].Metadata != nil {
				clear(page[i].Metadata.User)
			}
			page[i] = backend.Object{Key: "scribbled"}
		}
	}
	if slices.Sort(got); !slices.Equal(got, keys) {
		return ruleListPage.broken("list whose pages are scribbled over: got %s, want %s", e.showKeys(got), e.showKeys(keys))
	}
	return nil
}
