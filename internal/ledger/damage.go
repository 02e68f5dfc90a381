package ledger

import (
	"errors"
	"fmt"
	"strconv"
)

// ErrDamaged is a part of a ledger that is not what was once written.
var ErrDamaged = errors.New("ledger is damaged")

// isLater reports whether a format version is one of a later program, which has
// to be refused. Any other than this program's own is damage.
func isLater(version string) bool {
	theirs, err := strconv.Atoi(version)
	ours, _ := strconv.Atoi(formatVersion)
	return err == nil && theirs > ours
}

// damage is ErrDamaged of one segment.
type damage struct {
	segment segmentInfo
	what    string
}

func (d *damage) Error() string {
	return fmt.Sprintf("%v: segment %s, keys %q to %q, %s", ErrDamaged, d.segment.Name, d.segment.First, d.segment.Last, d.what)
}

// Is reports whether target is ErrDamaged.
func (d *damage) Is(target error) bool { return target == ErrDamaged }

// collectDamage adds the names of the segments that err, or any error that it
// joins, blames.
func collectDamage(err error, names map[string]bool) {
	var d *damage
	if errors.As(err, &d) {
		names[d.segment.Name] = true
	}
	var joined interface{ Unwrap() []error }
	if errors.As(err, &joined) {
		for _, e := range joined.Unwrap() {
			collectDamage(e, names)
		}
	}
}
