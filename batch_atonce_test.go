package replication

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
)

// The next batch does not wait for the answer to the one before.
func TestSomeBatchesAreUnderWayAtOnce(t *testing.T) {
	w := filled(t, 2500, 1000, func(*backend.Properties) {})
	var first, second sync.Once
	begun := map[string]chan struct{}{"gone0000": make(chan struct{}), "gone1000": make(chan struct{})}
	w.destination.before = func(_, key string) error {
		switch key {
		case "gone0000":
			first.Do(func() { close(begun[key]) })
			<-begun["gone1000"]
		case "gone1000":
			second.Do(func() { close(begun[key]) })
			<-begun["gone0000"]
		}
		return nil
	}
	require.EqualValues(t, 2500, w.mustSync().Deleted)
	w.requireEqual()
	w.requireQuiet()
}
