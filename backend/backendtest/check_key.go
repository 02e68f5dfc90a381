package backendtest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/objrepl/replication/backend"
)

// An oddKey is a name that some store, SDK, proxy or file system mistakes for
// another one or does not take at all.
type oddKey struct {
	name, key string
	// beside are keys that it is mistaken for.
	beside []string
}

var oddKeys = []oddKey{
	{"space", "a b", []string{"a+b", "a%20b", "ab"}},
	{"space-leading", " a", []string{"a"}},
	{"space-trailing", "a ", []string{"a"}},
	{"space-segment", "a/ /b", nil},
	{"percent", "100%", []string{"100"}},
	{"percent-encoded", "a%2Fb%41", []string{"a%2fb%41", "a%2FbA"}},
	{"percent-twice", "a%252Fb", []string{"a%2Fb"}},
	{"percent-invalid", "a%zz%", nil},
	{"plus", "a+b", []string{"a b", "a%2Bb"}},
	{"ampersand", "a&b=c", []string{"a"}},
	{"question-mark", "a?b=c", []string{"a"}},
	{"question-mark-api", "?uploads", nil},
	{"hash", "a#b", []string{"a"}},
	{"asterisk", "a*", []string{"ab", "a"}},
	{"brackets", "a[b]{c}", nil},
	{"quotes", `it's "so"`, nil},
	{"angle", "a<b>&amp;c", []string{"a<b>&c"}},
	{"backslash", `a\b`, []string{"a-b"}},
	{"colon", "a:b", []string{"a"}},
	{"semicolon", "a;b", []string{"a"}},
	{"pipe", "a|b", nil},
	{"punctuation", "!$'(),@^`_", nil},
	{"tilde", "~", nil},
	{"tilde-suffix", "a~", []string{"a"}},
	{"hidden", ".a", []string{"a"}},
	{"dots", "...", nil},
	{"dot-trailing", "a.", []string{"a"}},
	{"newline", "a\nb", []string{"ab", "a"}},
	{"carriage-return", "a\rb", []string{"a\nb", "ab"}},
	{"tab", "a\tb", []string{"a b"}},
	{"control", "a\x01\x1fb", []string{"ab"}},
	{"delete", "a\x7fb", []string{"ab"}},
	{"nul", "a\x00b", []string{"a", "ab"}},
	{"composed", "\u00e9", []string{"e\u0301", "e"}},
	{"combining", "e\u0301\u0323", []string{"e\u0323\u0301", "\u00e9\u0323"}},
	{"width", "\uff21", []string{"A", "a"}},
	{"cjk", "日本語/テスト.txt", nil},
	{"four-byte", "😀𝔘.txt", nil},
	{"joined", "👩\u200d👩\u200d👧", []string{"👩👩👧"}},
	{"right-to-left", "\u202eabc\u0627", []string{"abc"}},
	{"byte-order-mark", "\ufeffa", []string{"a"}},
	{"replacement", "a\ufffdb", nil},
	{"noncharacter", "a\ufffeb", []string{"ab"}},
	{"invalid-utf8", "a\xffb", []string{"a\ufffdb"}},
	{"surrogate", "a\xed\xa0\x80b", []string{"a\ufffdb", "a\ufffd\ufffd\ufffdb"}},
	{"case", "CaseD", []string{"cased", "CASED"}},
	{"reserved-name", "con.txt", nil},
	{"extension", "object.tmp", nil},
	{"component-255", strings.Repeat("c", 255), []string{strings.Repeat("c", 254)}},
	{"component-255-multibyte", strings.Repeat("é", 127) + "x", nil},
	{"component-256", strings.Repeat("c", 256), nil},
	{"deep", strings.Repeat("d/", 60) + "x", nil},
	{"slash-trailing", "a/", []string{"a"}},
	{"slash-double", "a//b", []string{"a/b"}},
	{"slash-leading", "/a", []string{"a"}},
	{"slash-alone", "/", nil},
	{"dot", "a/./b", []string{"a/b"}},
	{"dot-last", "a/.", []string{"a"}},
	{"dot-dot", "a/../b", []string{"b"}},
	{"dot-dot-last", "a/..", nil},
	{"dot-dot-first", "../b", nil},
}

// rooted are keys that cannot be tried below a prefix.
var rooted = []oddKey{
	{"rooted-slash", "/backendtest-a", []string{"backendtest-a"}},
	{"rooted-slashes", "//backendtest-a", []string{"/backendtest-a"}},
	{"rooted-dot", "./backendtest-a", []string{"backendtest-a"}},
	{"rooted-dot-dot", "../backendtest-a", []string{"backendtest-a"}},
	{"rooted-dot-alone", ".", nil},
	{"rooted-dot-dot-alone", "..", nil},
	{"rooted-tilde", "~", nil},
	{"rooted-drive", "C:backendtest-a", nil},
}

var keyChecks = makeKeyChecks()

func makeKeyChecks() []Check {
	var out []Check
	for _, odd := range oddKeys {
		doc := fmt.Sprintf("the key %.40q comes back exactly, or is refused", odd.key)
		out = append(out, Check{"key-" + odd.name, doc, func(ctx context.Context, e *env) error {
			beside := make([]string, len(odd.beside))
			for i, name := range odd.beside {
				beside[i] = e.key(name)
			}
			return e.checkKey(ctx, e.key(odd.key), beside, e.prefix)
		}})
	}
	for _, odd := range rooted {
		doc := fmt.Sprintf("the key %q, as it is, comes back exactly, or is refused", odd.key)
		out = append(out, Check{"key-" + odd.name, doc, func(ctx context.Context, e *env) error {
			if e.opts.Prefix != "" {
				return e.skip("it would be outside of the prefix")
			}
			return e.checkKey(ctx, odd.key, odd.beside, "")
		}})
	}
	return append(out,
		Check{"key-1024", "a key of 1,024 bytes comes back exactly, or is refused", checkLongKey(1024)},
		Check{"key-1025", "a key of 1,025 bytes comes back exactly, or is refused", checkLongKey(1025)},
		Check{"key-5000", "a key of 5,000 bytes comes back exactly, or is refused", checkLongKey(5000)},
		Check{"key-below-object", "a key below an object's is held beside it, or refused", checkBelowObject},
	)
}

func checkLongKey(size int) func(context.Context, *env) error {
	return func(ctx context.Context, e *env) error {
		key := e.prefix
		for len(key) < size {
			key += strings.Repeat("k", min(size-len(key), 100))
			if len(key) < size-1 {
				key += "/"
			}
		}
		return e.checkKey(ctx, key, nil, e.prefix)
	}
}

// checkKey holds an odd key to what CheckKey says of it: where it is refused,
// nothing is written under this or any other name; where it is taken, it comes
// back exactly and harms no other.
func (e *env) checkKey(ctx context.Context, key string, beside []string, prefix string) error {
	data := e.bytes(100)
	others, err := e.neighbours(ctx, beside)
	if err != nil {
		return err
	}
	var declared error
	if check := e.Properties().CheckKey; check != nil {
		declared = check(key)
	}
	o, err := e.Put(ctx, key, backend.Bytes(data), backend.PutOptions{})
	if declared != nil && !errors.Is(err, backend.ErrInvalidKey) {
		return ruleKeyRefused.broken("put %.60q, which CheckKey refuses: got error %v, want ErrInvalidKey", key, err)
	}
	if err != nil && !errors.Is(err, backend.ErrInvalidKey) {
		return ruleKey.broken("put %.60q: got error %w, want success or ErrInvalidKey", key, err)
	}
	if err != nil {
		e.note("refused: %.200v", err)
		return errors.Join(e.wantNoKey(ctx, key), others.unharmed(ctx, e, prefix))
	}
	if err := wantAnswer(o, key, len(data)); err != nil {
		return err
	}
	if err := e.wantContent(ctx, ruleKey, key, data, o.Tag); err != nil {
		return err
	}
	if err := others.unharmed(ctx, e, prefix, key); err != nil {
		return err
	}
	for _, opts := range []backend.ListOptions{
		{Prefix: key, Until: key},
		{Prefix: prefix, After: key},
		{Prefix: prefix, Until: key},
	} {
		want := selected(append(slices.Clone(others.keys), key), opts)
		slices.Sort(want)
		if err := e.wantList(ctx, ruleKey, opts, want); err != nil {
			return err
		}
	}
	again := e.bytes(99)
	if o, err = e.put(ctx, key, again); err != nil {
		return err
	}
	if err := e.wantContent(ctx, ruleKey, key, again, o.Tag); err != nil {
		return err
	}
	if err := ruleKey.wantOK("delete", e.Delete(ctx, key, backend.DeleteOptions{})); err != nil {
		return err
	}
	return errors.Join(e.wantAbsent(ctx, ruleKey, key), others.unharmed(ctx, e, prefix))
}

// wantNoKey checks that a refused key names nothing, whatever the answer is.
func (e *env) wantNoKey(ctx context.Context, key string) error {
	_, stat := e.Stat(ctx, key)
	_, _, open := e.read(ctx, key, backend.OpenOptions{})
	del := e.Delete(ctx, key, backend.DeleteOptions{})
	if del != nil && !errors.Is(del, backend.ErrInvalidKey) {
		return ruleKeyRefused.broken("delete %.60q, which is refused: got error %w, want success or ErrInvalidKey", key, del)
	}
	return errors.Join(
		ruleKeyRefused.wantError("stat of a key that is refused", stat, fs.ErrNotExist, backend.ErrInvalidKey),
		ruleKeyRefused.wantError("open of a key that is refused", open, fs.ErrNotExist, backend.ErrInvalidKey),
	)
}

// neighbours are objects that an odd key may be mistaken for.
type neighbours struct {
	keys []string
	data [][]byte
	tags []backend.Tag
}

// neighbours writes those keys that the store takes.
func (e *env) neighbours(ctx context.Context, keys []string) (n neighbours, err error) {
	for _, key := range keys {
		if check := e.Properties().CheckKey; check != nil && check(key) != nil {
			continue
		}
		data := e.bytes(80)
		o, err := e.Put(ctx, key, backend.Bytes(data), backend.PutOptions{})
		if errors.Is(err, backend.ErrInvalidKey) {
			continue
		}
		if err != nil {
			return n, ruleKey.broken("put %q: got error %w, want success or ErrInvalidKey", key, err)
		}
		n.keys, n.data, n.tags = append(n.keys, key), append(n.data, data), append(n.tags, o.Tag)
	}
	return n, nil
}

// unharmed checks that they, and the keys in addition, are all there is.
func (n neighbours) unharmed(ctx context.Context, e *env, prefix string, and ...string) error {
	for i, key := range n.keys {
		if err := e.wantContent(ctx, ruleKey, key, n.data[i], n.tags[i]); err != nil {
			return err
		}
	}
	want := slices.Sorted(slices.Values(append(slices.Clone(n.keys), and...)))
	return e.wantList(ctx, ruleKey, backend.ListOptions{Prefix: prefix}, want)
}

// In a file system an object cannot be a directory as well; then the second
// one is refused and the first one stays.
func checkBelowObject(ctx context.Context, e *env) error {
	for _, pair := range [][2]string{{"a", "a/b"}, {"c/d", "c"}, {"e", "e/f/g"}, {"h/i/j", "h/i"}} {
		first, second := e.key(pair[0]), e.key(pair[1])
		data := e.bytes(50)
		o, err := e.put(ctx, first, data)
		if err != nil {
			return err
		}
		added, err := e.Put(ctx, second, backend.Bytes(e.bytes(60)), backend.PutOptions{})
		want := []string{first, second}
		switch {
		case errors.Is(err, backend.ErrInvalidKey):
			e.note("%q refused beside %q: %v", pair[1], pair[0], err)
			want = want[:1]
			if err := e.wantNoKey(ctx, second); err != nil {
				return err
			}
		case err != nil:
			return ruleKey.broken("put %q beside %q: got error %w, want success or ErrInvalidKey", second, first, err)
		default:
			if err := wantAnswer(added, second, 60); err != nil {
				return err
			}
		}
		if err := e.wantContent(ctx, ruleKey, first, data, o.Tag); err != nil {
			return err
		}
		slices.Sort(want)
		if err := e.wantList(ctx, ruleKey, backend.ListOptions{Prefix: e.key(pair[0][:1])}, want); err != nil {
			return err
		}
		// Deleting one leaves the other.
		if len(want) == 2 {
			if err := e.remove(ctx, second); err != nil {
				return err
			}
			if err := e.wantContent(ctx, ruleKey, first, data, o.Tag); err != nil {
				return err
			}
		}
	}
	return nil
}
