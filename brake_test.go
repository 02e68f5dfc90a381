package replication

import (
	"math"
	"math/big"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestBrake(t *testing.T) {
	for _, c := range []struct {
		limit          string
		deletes, known int64
		stops          bool
	}{
		{"", 100, 100, false},
		{"", 101, 404, false},
		{"", 101, 403, true},
		{"", 251, 1000, true},
		{"", 250, 1000, false},
		{"10%", 10, 100, false},
		{"10%", 11, 100, true},
		{"10%", 1, 1, true},
		{"2.5%", 25, 1000, false},
		{"2.5%", 26, 1000, true},
		{"0.01%", 1, 10_000, false},
		{"0%", 1, math.MaxInt64, true},
		{"100%", 7, 7, false},
		{"500", 500, 501, false},
		{"500", 501, math.MaxInt64, true},
		{"0", 1, 1000, true},
		{"0", 0, 1000, false},
		{"off", math.MaxInt64, 1, false},
		{"10%", 0, 0, false},
		{"10%", -1, -1, false},
		{"100%", math.MaxInt64, math.MaxInt64, false},
		{"99.99%", math.MaxInt64, math.MaxInt64, true},
	} {
		b, err := parseBrake(c.limit)
		require.NoError(t, err, c.limit)
		require.Equal(t, c.stops, b.stops(c.deletes, c.known), "%q: %d of %d", c.limit, c.deletes, c.known)
	}
}

func TestBrakeRefusesWhatItDoesNotUnderstand(t *testing.T) {
	for _, limit := range []string{"%", "-1%", "101%", "100.01%", "1.234%", "1e1%", "10 %", " 10%", "+5", "-5", "5.5", "5k", "OFF", "no", "٣%", "1.%", "9223372036854775808"} {
		_, err := parseBrake(limit)
		require.ErrorIs(t, err, errBrake, limit)
	}
}

func TestBrakeSharesAreExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		share := rapid.Uint64Range(0, 100_00).Draw(t, "share")
		deletes := rapid.Int64Range(1, math.MaxInt64).Draw(t, "deletes")
		known := rapid.Int64Range(0, math.MaxInt64).Draw(t, "known")
		left := new(big.Int).Mul(big.NewInt(deletes), big.NewInt(100_00))
		right := new(big.Int).Mul(big.NewInt(known), new(big.Int).SetUint64(share))
		require.Equal(t, left.Cmp(right) > 0, brake{share: share}.stops(deletes, known))
	})
}
