package backend_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/objrepl/replication/backend"
)

// plain is a backend without any capability.
type plain struct{ backend.Backend }

func (plain) Properties() backend.Properties { return backend.Properties{Location: "plain"} }

// capable is one with a capability.
type capable struct{ plain }

func (capable) Sweep(context.Context, time.Time) (int, error) { return 7, nil }

// open is a wrapper that keeps bytes and keys as they are.
type open struct{ inner backend.Backend }

func (o open) Unwrap() backend.Backend { return o.inner }

type transparent struct {
	plain
	open
}

func TestAsFindsCapabilitiesBehindWrappers(t *testing.T) {
	wrap := func(b backend.Backend) backend.Backend { return transparent{open: open{b}} }
	for name, c := range map[string]struct {
		b    backend.Backend
		want bool
	}{
		"itself":                        {capable{}, true},
		"behind one wrapper":            {wrap(capable{}), true},
		"behind three":                  {wrap(wrap(wrap(capable{}))), true},
		"not there":                     {plain{}, false},
		"not there behind a wrapper":    {wrap(plain{}), false},
		"behind a wrapper that hides":   {plain{capable{}}, false},
		"a wrapper around nothing":      {wrap(nil), false},
		"nothing":                       {nil, false},
		"hidden behind a wrapper again": {wrap(plain{capable{}}), false},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := backend.As[backend.Sweeper](c.b)
			assert.Equal(t, c.want, ok)
			assert.Equal(t, c.want, got != nil)
		})
	}
}

// The outermost one counts: a wrapper may do better than what it wraps.
func TestAsPrefersTheOutermost(t *testing.T) {
	outer := struct {
		capable
		open
	}{open: open{capable{}}}
	got, ok := backend.As[backend.Sweeper](outer)
	assert.True(t, ok)
	assert.Equal(t, outer, got)
}
