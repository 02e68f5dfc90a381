package testutil

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestFakeGCSServersAreTwoAndEndWithTheirTests(t *testing.T) {
	var pids []int
	t.Run("started", func(t *testing.T) {
		first, second := FakeGCS(t), FakeGCS(t)
		pids = []int{first.PID(), second.PID()}
		assert.NotEqual(t, first.Endpoint, second.Endpoint)
		name := first.NewGCSBucket(t)
		_, err := second.newGCSBucket(t.Context(), name)
		require.NoError(t, err, "the other one has no such bucket yet")

		// Whoever answers at the port of another is not taken for it.
		second.Endpoint = first.Endpoint
		require.ErrorContains(t, fakegcsReady(t.Context(), second), "another server")
	})
	for _, pid := range pids {
		requireGone(t, pid)
	}
}
