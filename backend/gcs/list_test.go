package gcs_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
)

// The bound that is sent is a little wide, and none where it were too long.
func TestNoKeyBeyondUntilIsListed(t *testing.T) {
	b := fresh(t)
	long := strings.Repeat("l", 1024)
	for _, key := range []string{"u", "u\t", "u ", "ua", long, "z"} {
		put(t, b, key, "1")
	}
	for until, want := range map[string][]string{"u": {long, "u"}, "u\t": {long, "u", "u\t"}, long: {long}} {
		var got []string
		for page, err := range b.List(t.Context(), backend.ListOptions{Until: until}) {
			require.NoError(t, err)
			for _, o := range page {
				got = append(got, o.Key)
			}
		}
		require.Equal(t, want, got, "until %q", until)
	}
}
