package s3proto

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
)

func TestBoundsBecomeOneQuery(t *testing.T) {
	for _, c := range []struct {
		opts backend.ListOptions
		want query
		some bool
	}{
		{backend.ListOptions{}, query{}, true},
		{backend.ListOptions{Prefix: "p/"}, query{prefix: "p/"}, true},
		{backend.ListOptions{After: "k"}, query{after: "k"}, true},
		{backend.ListOptions{Prefix: "p/", After: "p/k"}, query{prefix: "p/", after: "p/k"}, true},
		{backend.ListOptions{Prefix: "p/", After: "a"}, query{prefix: "p/"}, true},
		{backend.ListOptions{Prefix: "p/", After: "p"}, query{prefix: "p/"}, true},
		{backend.ListOptions{Prefix: "p/", After: "p/"}, query{prefix: "p/", after: "p/"}, true},
		{backend.ListOptions{Prefix: "p/", After: "p0"}, query{}, false},
		{backend.ListOptions{Prefix: "p/", Until: "o"}, query{}, false},
		{backend.ListOptions{Prefix: "p/", Until: "z"}, query{prefix: "p/"}, true},
		{backend.ListOptions{After: "b", Until: "b"}, query{}, false},
		{backend.ListOptions{After: "b", Until: "a"}, query{}, false},
		{backend.ListOptions{After: "b", Until: "b0"}, query{after: "b"}, true},
		{backend.ListOptions{Prefix: "\xc3"}, query{}, true},
		{backend.ListOptions{Prefix: "a\xc3"}, query{prefix: "a"}, true},
		{backend.ListOptions{After: "a\x00b"}, query{after: "a"}, true},
		{backend.ListOptions{Prefix: "ab", After: "ab\xff"}, query{prefix: "ab", after: "ab"}, true},
	} {
		got, some := firstQuery(c.opts)
		require.Equal(t, c.some, some, "%+v", c.opts)
		require.Equal(t, c.want, got, "%+v", c.opts)
	}
}

func TestKeysOutsideOfTheBoundsAreDropped(t *testing.T) {
	keys := []string{"a", "b", "b\xc3\xa4", "b\xc3\xb6", "c", "d"}
	var objects []backend.Object
	for _, k := range keys {
		objects = append(objects, backend.Object{Key: k})
	}
	for _, c := range []struct {
		opts backend.ListOptions
		want []string
	}{
		{backend.ListOptions{}, keys},
		{backend.ListOptions{After: "a"}, keys[1:]},
		{backend.ListOptions{Until: "c"}, keys[:5]},
		{backend.ListOptions{Prefix: "b\xc3"}, keys[2:4]},
		{backend.ListOptions{Prefix: "b", After: "b\xc3\xa4\xff"}, keys[3:4]},
		{backend.ListOptions{After: "x"}, nil},
	} {
		var got []string
		for _, o := range within(objects, c.opts) {
			got = append(got, o.Key)
		}
		require.Equal(t, c.want, got, "%+v", c.opts)
	}
}
