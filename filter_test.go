package replication

import (
	"strings"
	"testing"
	"time"

	"github.com/bmatcuk/doublestar/v4"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestFilter(t *testing.T) {
	for _, c := range []struct {
		include, exclude []string
		in, out          []string
	}{
		{nil, nil, []string{"a", "a/b", ""}, nil},
		{[]string{"*.jpg"}, nil, []string{"a.jpg"}, []string{"d/a.jpg", "a.png", "a.JPG"}},
		{[]string{"**/*.jpg"}, nil, []string{"a.jpg", "d/e/a.jpg"}, []string{"a.png"}},
		{[]string{"*.jpg", "docs/**"}, nil, []string{"a.jpg", "docs/a/b"}, []string{"a.png", "doc/a"}},
		{nil, []string{"tmp/**", "**/.cache/**"}, []string{"a", "a/tmp/b"}, []string{"tmp/a", "a/.cache/b"}},
		{[]string{"docs/**"}, []string{"**/*.tmp"}, []string{"docs/a"}, []string{"docs/a.tmp", "b"}},
		{[]string{"{a,b}/[0-9]?"}, nil, []string{"a/12", "b/3x"}, []string{"c/12", "a/x1"}},
		{[]string{`\[a\]`}, nil, []string{"[a]"}, []string{"a"}},
	} {
		match, err := compileFilter(c.include, c.exclude)
		require.NoError(t, err)
		for _, key := range c.in {
			require.True(t, match(key), "%q in %v but %v", key, c.include, c.exclude)
		}
		for _, key := range c.out {
			require.False(t, match(key), "%q in %v but %v", key, c.include, c.exclude)
		}
	}
}

func TestFilterMatchesWhatTheGlobLibraryMatches(t *testing.T) {
	pieces := rapid.SampledFrom([]string{"a", "b", "/", "**/", "/**", "*", "?", "[ab]", "[^a]", "{a,b/}", `\*`, `\a`, ",", "-"})
	key := rapid.StringOfN(rapid.RuneFrom([]rune("ab/*,-")), 0, 8, -1)
	rapid.Check(t, func(t *rapid.T) {
		pattern := strings.Join(rapid.SliceOfN(pieces, 1, 6).Draw(t, "pattern"), "")
		match, err := compileFilter([]string{pattern}, nil)
		if err != nil {
			t.Skip(err)
		}
		for range 20 {
			k := key.Draw(t, "key")
			want, err := doublestar.Match(pattern, k)
			require.NoError(t, err)
			require.Equal(t, want, match(k), "%q in %q", k, pattern)
		}
	})
}

func TestFilterRefusesWrongGlobs(t *testing.T) {
	_, err := compileFilter([]string{"ok", "[a"}, []string{"", strings.Repeat("x", maxGlobLength+1)})
	require.ErrorContains(t, err, `"[a" is not a glob`)
	require.ErrorContains(t, err, "a glob is empty")
	require.ErrorContains(t, err, "is longer than 1024 bytes")
	_, err = compileFilter(nil, make([]string, maxGlobs+1))
	require.ErrorContains(t, err, "1001 globs are more than 1000")
}

// A glob with many stars and a key that almost matches it must not take
// exponential time: keys come from whoever writes to the source.
func TestFilterTimeIsBounded(t *testing.T) {
	for _, glob := range []string{strings.Repeat("**/a/", 30) + "b", strings.Repeat("*a", 30) + "b", strings.Repeat("**/", 100) + "b"} {
		match, err := compileFilter([]string{glob}, nil)
		require.NoError(t, err)
		start := time.Now()
		require.False(t, match(strings.Repeat("a/", 200)+"c"))
		require.False(t, match(strings.Repeat("a", 1000)+"c"))
		require.Less(t, time.Since(start), 5*time.Second, glob)
	}
}

func BenchmarkFilter(b *testing.B) {
	for name, globs := range map[string][]string{"none": nil, "suffix": {"**/*.tmp"}, "three": {"tmp/**", "**/.cache/**", "**/*.tmp"}} {
		b.Run(name, func(b *testing.B) {
			match, err := compileFilter(nil, globs)
			require.NoError(b, err)
			b.ReportAllocs()
			for b.Loop() {
				match("photos/2024/05/holiday/IMG_20240501_123456.jpg")
			}
		})
	}
}
