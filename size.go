package replication

import (
	"fmt"
	"math/big"
	"strconv"
	"strings"
)

const sizeUnits = "KMGTP"

// ParseSize parses a number of bytes: "1048576", "512K", "50M", "1.5G". The
// suffixes B, K, M, G, T and P, in either case and also written Ki or KiB, are
// powers of 1024. MB and the like are refused, since they mean 1000 to some. A
// fraction of a byte is cut off. The error quotes s.
func ParseSize(s string) (int64, error) {
	digits := strings.TrimRight(s, "BbIiKkMmGgTtPp")
	shift, ok := sizeShift(s[len(digits):])
	if !ok || !decimal(digits) {
		return 0, fmt.Errorf("%.40q is not a size; write a number of bytes, or one with a suffix: 512K, 50M, 1.5G", s)
	}
	// The text is short and plain digits, so the fraction stays small.
	value, _ := new(big.Rat).SetString(digits)
	value.Mul(value, new(big.Rat).SetInt64(1<<shift))
	bytes := new(big.Int).Quo(value.Num(), value.Denom())
	if !bytes.IsInt64() {
		return 0, fmt.Errorf("%q is too large; the largest size is 8191P", s)
	}
	return bytes.Int64(), nil
}

// sizeShift returns the power of two that a suffix stands for.
func sizeShift(suffix string) (uint, bool) {
	suffix = strings.ToUpper(suffix)
	if suffix == "" || suffix == "B" {
		return 0, true
	}
	unit := strings.IndexByte(sizeUnits, suffix[0])
	rest := suffix[1:]
	if unit < 0 || rest != "" && rest != "I" && rest != "IB" {
		return 0, false
	}
	return 10 * uint(unit+1), true
}

// decimal reports whether s is digits with at most one point among them, and
// short.
func decimal(s string) bool {
	whole, fraction, point := strings.Cut(s, ".")
	if len(s) > 30 || whole == "" || point && fraction == "" {
		return false
	}
	return strings.Trim(whole+fraction, "0123456789") == ""
}

// formatSize is the shortest text that ParseSize turns back into bytes.
func formatSize(bytes int64) string {
	unit := ""
	for i := 0; i < len(sizeUnits) && bytes != 0 && bytes%1024 == 0; i++ {
		bytes /= 1024
		unit = sizeUnits[i : i+1]
	}
	return strconv.FormatInt(bytes, 10) + unit
}
