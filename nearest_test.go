package replication

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestNearestID(t *testing.T) {
	ids := []string{"documents", "dr", "dr/photos", "日本語"}
	for id, want := range map[string]string{
		"documnets": "documents", "document": "documents", "DR": "dr", "d": "dr", "dr/fotos": "dr/photos", "dr-photos": "dr/photos", "日本": "日本語",
		"": "", "x": "", "zz": "", "entirely": "", strings.Repeat("d", 300): "",
	} {
		require.Equal(t, want, nearest(id, ids), id)
	}
	require.Empty(t, nearest("a", nil))
}

func TestPolicyNotFoundSuggestsTheNearest(t *testing.T) {
	err := policyNotFound("dokuments", []string{"dr", "documents"})
	require.ErrorIs(t, err, ErrPolicyNotFound)
	require.EqualError(t, err, `policy not found: dokuments; did you mean "documents"?`)
	require.EqualError(t, policyNotFound("x", nil), `policy not found: x`)
	require.EqualError(t, policyNotFound("a\x1b[2J", nil), `policy not found: "a\x1b[2J"`)
	require.Less(t, len(policyNotFound(strings.Repeat("x", 1<<20), nil).Error()), 400)
}

func TestEditDistanceIsThatOfTheDefinition(t *testing.T) {
	var plain func(a, b []rune) int
	plain = func(a, b []rune) int {
		switch {
		case len(a) == 0 || len(b) == 0:
			return len(a) + len(b)
		case a[0] == b[0]:
			return plain(a[1:], b[1:])
		}
		return 1 + min(plain(a[1:], b), plain(a, b[1:]), plain(a[1:], b[1:]))
	}
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.StringOfN(rapid.RuneFrom([]rune("abc")), 0, 6, -1)
		a, b := []rune(word.Draw(t, "a")), []rune(word.Draw(t, "b"))
		limit := rapid.IntRange(0, 7).Draw(t, "limit")
		require.Equal(t, min(plain(a, b), limit+1), min(editDistance(a, b, limit), limit+1))
	})
}

func TestNearestIsQuickAmongManyIDs(t *testing.T) {
	ids := make([]string, 10_000)
	for i := range ids {
		ids[i] = strings.Repeat(string(rune('a'+i%26)), 256)
	}
	start := time.Now()
	nearest(strings.Repeat("ab", 128), ids)
	require.Less(t, time.Since(start), 5*time.Second)
}
