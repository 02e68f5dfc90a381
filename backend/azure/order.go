package azure

import (
	"cmp"
	"iter"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/objrepl/replication/backend"
)

// Azure lists in the order of UTF-16 (documented as "alphabetical"; found by
// writing every character: https://github.com/blobfile/blobfile/pull/238), and so
// does Azurite. It is byte order but for one thing: characters beyond U+FFFF, such
// as emoji, come before U+E000 to U+FFFF, such as full-width forms, where in bytes
// they come after. So of keys that begin alike, those that go on with the former
// are held back until those that go on with the latter have passed.

// maxHeld is how many objects are held back for one beginning. Where there are
// more, they are listed again when it is their turn.
const maxHeld = 20_000

// A held is the objects whose keys begin alike and go on with a character
// beyond U+FFFF.
type held struct {
	prefix  string
	objects []backend.Object
	again   map[rune]bool // unless nil, what the prefix goes on with, to be listed again
}

// scope says what the held prefix goes on with in a key; false where the key
// comes after everything that this is held back for.
func (h *held) scope(key string) (rune, bool) {
	rest, ok := strings.CutPrefix(key, h.prefix)
	next, _ := utf8.DecodeRuneInString(rest)
	return next, ok && next >= 0xe000
}

func (h *held) add(o backend.Object, next rune, limit int) {
	if h.again == nil && len(h.objects) >= limit {
		h.again = map[rune]bool{}
		for _, o := range h.objects {
			r, _ := h.scope(o.Key)
			h.again[r] = true
		}
		h.objects = nil
	}
	if h.again != nil {
		h.again[next] = true
		return
	}
	h.objects = append(h.objects, o)
}

// A lister yields pages of the objects under a prefix, in the order of UTF-16.
type lister func(prefix string) iter.Seq2[[]backend.Object, error]

// inByteOrder yields the same in byte order, and holds no more than limit
// objects back for any beginning of keys.
func (list lister) inByteOrder(prefix string, limit int) iter.Seq2[[]backend.Object, error] {
	return func(yield func([]backend.Object, error) bool) {
		var stack []*held // each prefix begins the next
		release := func() bool {
			h := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			if h.again == nil {
				slices.SortFunc(h.objects, func(a, b backend.Object) int { return cmp.Compare(a.Key, b.Key) })
				return yield(h.objects, nil)
			}
			for _, next := range slices.Sorted(maps.Keys(h.again)) {
				for page, err := range list.inByteOrder(h.prefix+string(next), limit) {
					if !yield(page, err) || err != nil {
						return false
					}
				}
			}
			return true
		}
		for page, err := range list(prefix) {
			if err != nil {
				yield(nil, err)
				return
			}
			var out []backend.Object
			for _, o := range page {
				var next rune
				in := false
				for len(stack) > 0 {
					if next, in = stack[len(stack)-1].scope(o.Key); in {
						break
					}
					if len(out) > 0 && !yield(out, nil) {
						return
					}
					out = nil
					if !release() {
						return
					}
				}
				rest := o.Key[len(prefix):]
				switch i := strings.IndexFunc(rest, func(r rune) bool { return r > 0xffff }); {
				case in && next > 0xffff:
					stack[len(stack)-1].add(o, next, limit)
				case i >= 0:
					h := &held{prefix: o.Key[:len(prefix)+i]}
					r, _ := h.scope(o.Key)
					h.add(o, r, limit)
					stack = append(stack, h)
				default:
					out = append(out, o)
				}
			}
			if len(out) > 0 && !yield(out, nil) {
				return
			}
		}
		for len(stack) > 0 {
			if !release() {
				return
			}
		}
	}
}
