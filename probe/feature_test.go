package probe

import (
	"path"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend/backendtest"
)

func TestEveryCheckIsOfAFeatureAndEveryPatternOfACheck(t *testing.T) {
	var names []string
	for _, c := range backendtest.Checks() {
		names = append(names, c.Name)
		require.GreaterOrEqual(t, featureOf(c.Name), 0, c.Name)
	}
	for _, f := range features {
		for _, pattern := range f.checks {
			require.True(t, slices.ContainsFunc(names, func(n string) bool { ok, err := path.Match(pattern, n); return ok && err == nil }), pattern)
		}
	}
	for _, name := range slices.Concat(heavy, apart) {
		require.Contains(t, names, name)
	}
}
