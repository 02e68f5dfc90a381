package backend_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/objrepl/replication/backend"
)

func TestPartSizeGrowsUntilTheNumberOfPartsSuffices(t *testing.T) {
	const mib, gib, tib = 1 << 20, 1 << 30, 1 << 40
	s3 := backend.PartLimits{Min: 5 * mib, Max: 5 * gib, Count: 10_000}
	for _, c := range []struct {
		limits               backend.PartLimits
		object, wanted, want int64
	}{
		{s3, 200 * mib, 16 * mib, 16 * mib},
		{s3, 200 * mib, 1, 5 * mib},
		{s3, 160_000 * mib, 16 * mib, 16 * mib},
		{s3, 160_000*mib + 1, 16 * mib, 17 * mib},
		{s3, 5 * tib, 16 * mib, 525 * mib},
		{s3, 10_000 * 5 * gib, 16 * mib, 5 * gib},
		{s3, 10_000*5*gib + 1, 16 * mib, 0},
		{s3, 6 * gib, 6 * gib, 5 * gib},
		{backend.PartLimits{}, 5 * tib, 16 * mib, 16 * mib},
		{backend.PartLimits{}, 0, 0, 1},
		{backend.PartLimits{Max: 10, Count: 3}, 30, 4, 10},
		{backend.PartLimits{Max: 10, Count: 3}, 31, 4, 0},
		{backend.PartLimits{Count: 2}, 5, 1, mib},
	} {
		assert.Equal(t, c.want, c.limits.Size(c.object, c.wanted), "%+v", c)
	}
}
