package replication

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestSizes(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "1": 1, "1048576": 1 << 20, "10B": 10, "1K": 1 << 10, "1k": 1 << 10, "512K": 512 << 10, "50M": 50 << 20, "50Mi": 50 << 20, "50MiB": 50 << 20,
		"1.5G": 3 << 29, "0.5": 0, "1.9": 1, "2T": 2 << 40, "1P": 1 << 50, "8191P": 8191 << 50, "9223372036854775807": math.MaxInt64, "007": 7,
	} {
		got, err := ParseSize(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
	for _, text := range []string{"", "K", "-1", "+1", "1 K", "1MB", "1KK", "1e3", "1.", ".5", "1.2.3", "0x10", "1E", "1iB", "1Bi", "infinity", "٣", "1_000", "1i"} {
		_, err := ParseSize(text)
		require.ErrorContains(t, err, fmt.Sprintf("%q is not a size", text))
	}
	for _, text := range []string{"8192P", "9223372036854775808", "999999999999999999999999999999"} {
		_, err := ParseSize(text)
		require.ErrorContains(t, err, "is too large", text)
	}
}

func TestFormattedSizesParseBack(t *testing.T) {
	require.Equal(t, "50M", formatSize(50<<20))
	require.Equal(t, "1025", formatSize(1025))
	require.Equal(t, "0", formatSize(0))
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.Int64Range(0, math.MaxInt64).Draw(t, "size") << rapid.IntRange(0, 62).Draw(t, "shift") & math.MaxInt64
		back, err := ParseSize(formatSize(size))
		require.NoError(t, err)
		require.Equal(t, size, back)
	})
}

func FuzzParseSize(f *testing.F) {
	f.Add("50M")
	f.Add("1.5GiB")
	f.Fuzz(func(t *testing.T, text string) {
		size, err := ParseSize(text)
		if err == nil && size < 0 {
			t.Fatalf("%q is %d", text, size)
		}
	})
}
