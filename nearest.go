package replication

import (
	"fmt"
	"strconv"
	"strings"
)

// maxPolicyID bounds an id, in bytes.
const maxPolicyID = 256

// maxTypos bounds how far a nearest id may be, and with it the cost of looking.
const maxTypos = 8

// policyNotFound returns an ErrPolicyNotFound that hints at the nearest of the
// ids there are.
func policyNotFound(id string, ids []string) error {
	shown := id
	if q := strconv.Quote(id); len(id) > maxPolicyID || q[1:len(q)-1] != id {
		shown = fmt.Sprintf("%.*q", maxPolicyID, id)
	}
	if near := nearest(id, ids); near != "" {
		return fmt.Errorf("%w: %s; did you mean %q?", ErrPolicyNotFound, shown, near)
	}
	return fmt.Errorf("%w: %s", ErrPolicyNotFound, shown)
}

// nearest returns the id that id is most likely a misspelling of, by edit
// distance without regard to case, or "" if none is near enough. Of equally
// near ones it is the first.
func nearest(id string, ids []string) string {
	if id == "" || len(id) > maxPolicyID {
		return ""
	}
	want := []rune(strings.ToLower(id))
	best, limit := "", min(max(2, len(want)/3), maxTypos)
	for _, candidate := range ids {
		have := []rune(strings.ToLower(candidate))
		// Further away than its own length is another word altogether.
		if d := editDistance(want, have, limit); d <= limit && d < max(len(want), len(have)) {
			best, limit = candidate, d-1
		}
	}
	return best
}

// editDistance is the Levenshtein distance of a and b, or some number above
// limit if it exceeds that. It fills only the diagonal band of the matrix that
// a distance within limit can pass through.
func editDistance(a, b []rune, limit int) int {
	if max(len(a)-len(b), len(b)-len(a)) > limit {
		return limit + 1
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		from, to := max(1, i-limit), min(len(b), i+limit)
		diagonal := row[from-1]
		row[from-1] = limit + 1 // left of the band, or
		if from == 1 {
			row[0] = i // the first column
		}
		least := row[from-1]
		for j := from; j <= to; j++ {
			above := row[j]
			if j == i+limit {
				above = limit + 1 // right of the band in the row before
			}
			cost := diagonal
			if a[i-1] != b[j-1] {
				cost = 1 + min(diagonal, above, row[j-1])
			}
			diagonal, row[j] = row[j], cost
			least = min(least, cost)
		}
		if least > limit {
			return limit + 1
		}
	}
	return row[len(b)]
}
