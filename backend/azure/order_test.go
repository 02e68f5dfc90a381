package azure

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/objrepl/replication/backend"
)

// utf16Lister lists like the service, three objects a page.
func utf16Lister(keys []string, calls *int) lister {
	keys = slices.Clone(keys)
	slices.SortFunc(keys, func(a, b string) int { return slices.Compare(utf16.Encode([]rune(a)), utf16.Encode([]rune(b))) })
	return func(prefix string) iter.Seq2[[]backend.Object, error] {
		*calls++
		return func(yield func([]backend.Object, error) bool) {
			var page []backend.Object
			for _, key := range keys {
				if strings.HasPrefix(key, prefix) {
					page = append(page, backend.Object{Key: key})
				}
			}
			for part := range slices.Chunk(page, 3) {
				if !yield(part, nil) {
					return
				}
			}
		}
	}
}

func TestListingsComeInByteOrder(t *testing.T) {
	letters := []rune{'a', '/', '\ud7ff', '\ue000', '\uff21', '\ufffd', '\U00010000', '😀'}
	rapid.Check(t, func(t *rapid.T) {
		keys := rapid.SliceOfNDistinct(rapid.StringOfN(rapid.SampledFrom(letters), 1, 5, -1), 0, 60, rapid.ID[string]).Draw(t, "keys")
		prefix := rapid.StringOfN(rapid.SampledFrom(letters), 0, 2, -1).Draw(t, "prefix")
		limit := rapid.IntRange(1, 5).Draw(t, "limit")
		want := slices.DeleteFunc(slices.Sorted(slices.Values(keys)), func(k string) bool { return !strings.HasPrefix(k, prefix) })
		got := []string{}
		var calls int
		for page, err := range utf16Lister(keys, &calls).inByteOrder(prefix, limit) {
			require.NoError(t, err)
			for _, o := range page {
				got = append(got, o.Key)
			}
		}
		require.Equal(t, append([]string{}, want...), got)
	})
}

func TestOrdinaryKeysAreListedOnceAndNotHeldBack(t *testing.T) {
	var keys []string
	for i := range 100 {
		keys = append(keys, fmt.Sprintf("é/%02d-日本（1）", i))
	}
	var calls, pages int
	for page := range utf16Lister(keys, &calls).inByteOrder("", 1) {
		pages++
		require.LessOrEqual(t, len(page), 3)
	}
	require.Equal(t, 1, calls)
	require.Equal(t, 34, pages)
}

func TestAFailedListingEndsWithItsError(t *testing.T) {
	broken := errors.New("broken")
	list := lister(func(string) iter.Seq2[[]backend.Object, error] {
		return func(yield func([]backend.Object, error) bool) {
			if yield([]backend.Object{{Key: "a"}, {Key: "😀"}, {Key: "\uff21"}}, nil) {
				yield(nil, broken)
			}
		}
	})
	var got []string
	var last error
	for page, err := range list.inByteOrder("", 10) {
		require.NoError(t, last)
		last = err
		for _, o := range page {
			got = append(got, o.Key)
		}
	}
	require.ErrorIs(t, last, broken)
	require.Equal(t, []string{"a", "\uff21"}, got, "what is held back is not told after an error")
}

func TestAListingCanBeLeftAtAnyPage(t *testing.T) {
	keys := []string{"a", "😀1", "😀2", "\uff21", "\uff21😀", "z\uff21", "z😀"}
	slices.SortFunc(keys, cmp.Compare)
	for leave := range len(keys) {
		var calls, n int
		for page := range utf16Lister(keys, &calls).inByteOrder("", 1) {
			if n += len(page); n > leave {
				break
			}
		}
	}
}
