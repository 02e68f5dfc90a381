package testutil

import (
	"testing"

	"github.com/minio/minio-go/v7"
	"github.com/stretchr/testify/require"
)

func TestSyntheticListsItsFolderAndWhatIsInIt(t *testing.T) {
	s := NewSynthetic(t, 1500, 100)
	c := syntheticClient(t, s)
	shown := func(prefix string) (names []string) {
		for o := range c.Client.ListObjects(t.Context(), "bucket", minio.ListObjectsOptions{Prefix: prefix}) {
			require.NoError(t, o.Err)
			names = append(names, o.Key)
		}
		return names
	}
	require.Equal(t, []string{"flat/"}, shown(""))
	require.Equal(t, []string{"flat/"}, shown("fl"))
	require.Empty(t, shown("other"))
	require.Equal(t, listed(t, c, minio.ListObjectsOptions{}), shown("flat/"))
	region, err := c.GetBucketLocation(t.Context(), "bucket")
	require.NoError(t, err)
	require.Equal(t, "us-east-1", region)
	s.Clear()
	require.Empty(t, shown(""))
}
