package replication

import (
	"errors"
	"math/bits"
	"strconv"
	"strings"
)

// A brake decides whether a pass wants to delete too much; see
// Policy.MaxDelete.
type brake struct {
	off bool
	// The brake stops what exceeds both the share, in hundredths of a percent
	// of the known objects, and the count.
	share uint64
	count int64
}

// defaultBrake lets the small deletions of small policies pass: where a
// hundred objects are the whole store, a share alone would stop daily work.
var defaultBrake = brake{share: 25_00, count: 100}

// parseBrake parses a Policy's MaxDelete.
func parseBrake(s string) (brake, error) {
	switch percent, ok := strings.CutSuffix(s, "%"); {
	case s == "":
		return defaultBrake, nil
	case s == "off":
		return brake{off: true}, nil
	case ok:
		share, ok := parseHundredths(percent)
		if !ok || share > 100_00 {
			return brake{}, errBrake
		}
		return brake{share: share}, nil
	default:
		count, err := strconv.ParseUint(s, 10, 63)
		if err != nil {
			return brake{}, errBrake
		}
		return brake{count: int64(count)}, nil
	}
}

var errBrake = errors.New(`must be a share such as "10%" (0% to 100%, two decimals at most), a number of objects such as "500", or "off"`)

// stops reports whether deletes, of known objects of the policy, are too many.
func (b brake) stops(deletes, known int64) bool {
	if b.off || deletes <= b.count {
		return false
	}
	// deletes/known > share/10000, in 128 bits so that nothing overflows.
	leftHigh, left := bits.Mul64(uint64(deletes), 100_00)
	rightHigh, right := bits.Mul64(uint64(max(known, 0)), b.share)
	return leftHigh > rightHigh || leftHigh == rightHigh && left > right
}

func parseHundredths(s string) (uint64, bool) {
	whole, fraction, _ := strings.Cut(s, ".")
	if !decimal(s) || len(fraction) > 2 {
		return 0, false
	}
	n, err := strconv.ParseUint(whole+(fraction + "00")[:2], 10, 32)
	return n, err == nil
}
