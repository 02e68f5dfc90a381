package replication

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Whoever empties the trash would lose the state in it, and a state of which the
// trash is a part would be listed and cleared with it.
func TestATrashAndTheSharedStateKeepApart(t *testing.T) {
	for trash, refused := range map[string]bool{
		"": false, ".trash/": false, "fleet/.trash/": false, "fleet/policies-trash/": false,
		"fleet/": true, "fle": true, "fleet/policies/": true, "fleet/policies/p/trash/": true,
	} {
		t.Run(trash, func(t *testing.T) {
			f := newFleet(t, 1)
			f.state = f.destination // one store has both
			f.policy.SourcePrefix, f.policy.TrashPrefix = "data/", trash
			f.put(f.source, "data/k", "1")
			_, err := f.syncOn(0)
			_, planErr := f.machines[0].PlanOf(t.Context(), f.policy)
			for _, err := range []error{err, planErr} {
				if !refused {
					require.NoError(t, err)
					continue
				}
				require.ErrorIs(t, err, ErrInvalidPolicy)
				require.ErrorContains(t, err, "trash_prefix: the state in ")
			}
		})
	}
}
