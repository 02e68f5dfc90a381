package replication

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// A ledger that was lost, or never written since each pass was killed, has no
// share of it exceeded by any deletion: what the pass finds to be its own counts.
func TestTheBrakeCountsWhatTheLedgerLacks(t *testing.T) {
	for _, c := range []struct {
		gone   int
		stops  bool
		ledger bool
	}{{110, false, true}, {110, false, false}, {130, true, true}, {130, true, false}} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			const n = 500
			w := newWorld(t)
			for i := range n {
				w.put(w.source, fmt.Sprintf("k%03d", i), "content")
			}
			w.mustSync()
			for i := range c.gone {
				w.remove(w.source, fmt.Sprintf("k%03d", i*3))
			}
			if !c.ledger {
				w.loseLedger()
			}
			res, err := w.sync()
			if !c.stops {
				require.NoError(t, err)
				require.EqualValues(t, c.gone, res.Deleted)
				w.requireEqual()
				return
			}
			require.ErrorIs(t, err, ErrBrake)
			require.ErrorContains(t, err, fmt.Sprintf("%d of %d objects", c.gone, n))
			require.Zero(t, res.Deleted)
			w.mustSync(ForceDeletes())
			w.requireEqual()
		})
	}
}
