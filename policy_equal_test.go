package replication

import (
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestEmptyAndNilAreEqual(t *testing.T) {
	p := Policy{ID: "a"}
	q := Policy{ID: "a", SourceSettings: map[string]string{}, DestinationSettings: map[string]string{}, Include: []string{}, Exclude: []string{}}
	require.True(t, p.equal(q))
	require.Equal(t, p, q.normalise())
}

func TestEveryFieldCounts(t *testing.T) {
	full := fullPolicy()
	require.True(t, full.equal(full.clone()))
	v := reflect.ValueOf(full)
	for i := range v.NumField() {
		require.False(t, v.Field(i).IsZero(), "fullPolicy misses %s", v.Type().Field(i).Name)
		p := full.clone()
		reflect.ValueOf(&p).Elem().Field(i).SetZero()
		require.False(t, full.equal(p), v.Type().Field(i).Name)
	}
}

func TestCloneSharesNothing(t *testing.T) {
	p := fullPolicy()
	q := p.clone()
	q.SourceSettings["x"], q.DestinationSettings["x"], q.Include[0], q.Exclude[0] = "x", "x", "x", "x"
	require.Equal(t, fullPolicy(), p)
}
