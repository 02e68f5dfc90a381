package usermeta

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/objrepl/replication/backend"
)

func TestModTimesComeBackInEitherForm(t *testing.T) {
	require.Equal(t, "2023-11-14T22:13:20.5Z", FormatModTime(time.Unix(1_700_000_000, 500_000_000)))
	rapid.Check(t, func(t *rapid.T) {
		want := time.Unix(rapid.Int64Range(-1e12, 1e12).Draw(t, "seconds"), rapid.Int64Range(0, 999_999_999).Draw(t, "nanoseconds"))
		text := FormatModTime(want)
		require.LessOrEqual(t, len(text)-len(backend.FormatModTime(want)), ModTimeRoom)
		got, err := backend.ParseModTime(text)
		require.NoError(t, err)
		require.True(t, want.Equal(got), "%v is %v", want, got)
	})
}

func TestMetadataThatIsTooLargeIsNamed(t *testing.T) {
	m := backend.Metadata{User: map[string]string{"a": strings.Repeat("x", 9), "long": strings.Repeat("x", 86)}}
	require.NoError(t, CheckSize(m, 100))
	err := CheckSize(m, 99)
	require.ErrorIs(t, err, backend.ErrInvalidMetadata)
	require.ErrorContains(t, err, `100 bytes, more than 99; the largest is "long" with 90`)
}
