package memory

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/objrepl/replication/backend"
)

// TestIndexAgreesWithSortedMap does random operations on the index and on a
// map, whose keys are then sorted.
func TestIndexAgreesWithSortedMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var x index
		model := map[string]*version{}
		key := rapid.StringMatching(`[ab/]{1,4}|\x{e000}|😀`)
		// Enough keys at once that chunks split.
		if rapid.Bool().Draw(t, "full") {
			for i := range 3 * chunkLen {
				v := &version{object: backend.Object{Key: strings.Repeat("b", i%40) + string(rune('a'+i/40))}}
				x.set(v)
				model[v.object.Key] = v
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"set": func(t *rapid.T) {
				v := &version{object: backend.Object{Key: key.Draw(t, "key")}}
				x.set(v)
				model[v.object.Key] = v
			},
			"remove": func(t *rapid.T) {
				k := key.Draw(t, "key")
				if keys := slices.Sorted(maps.Keys(model)); len(keys) > 0 && rapid.Bool().Draw(t, "present") {
					k = rapid.SampledFrom(keys).Draw(t, "which")
				}
				x.remove(k)
				delete(model, k)
			},
			"get": func(t *rapid.T) {
				if k := key.Draw(t, "key"); x.get(k) != model[k] {
					t.Fatalf("get %q: got %v, want %v", k, x.get(k), model[k])
				}
			},
			"from": func(t *rapid.T) {
				after := rapid.OneOf(key, rapid.Just("")).Draw(t, "after")
				least := rapid.OneOf(key, rapid.Just("")).Draw(t, "least")
				var got, want []string
				for v := range x.from(after, least) {
					got = append(got, v.object.Key)
				}
				for _, k := range slices.Sorted(maps.Keys(model)) {
					if k > after && k >= least {
						want = append(want, k)
					}
				}
				if !slices.Equal(got, want) {
					t.Fatalf("from after %q, least %q: got %q, want %q", after, least, got, want)
				}
			},
			"": func(t *rapid.T) {
				if x.len != len(model) {
					t.Fatalf("len: got %d, want %d", x.len, len(model))
				}
				for _, c := range x.chunks {
					if len(c) == 0 || len(c) > chunkLen {
						t.Fatalf("a chunk of %d", len(c))
					}
				}
			},
		})
	})
}
