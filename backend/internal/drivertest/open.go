// Package drivertest is what the tests of drivers share.
package drivertest

import (
	"context"
	"maps"
	"net"
	"testing"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/backendtest"
)

// Opener returns what the conformance suite opens backends with.
func Opener(driver backend.Driver, s backend.Settings) backendtest.Opener {
	return func(ctx context.Context) (backend.Backend, error) { return driver.Open(ctx, s) }
}

// Open opens a backend, to be closed with the test.
func Open(tb testing.TB, driver backend.Driver, s backend.Settings) backend.Backend {
	tb.Helper()
	b, err := driver.Open(tb.Context(), s)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := b.Close(); err != nil {
			tb.Error(err)
		}
	})
	return b
}

// With returns settings of which one is changed.
func With(s backend.Settings, name, value string) backend.Settings {
	s = maps.Clone(s)
	s[name] = value
	return s
}

// ClosedPort returns an address that nobody listens at.
func ClosedPort(tb testing.TB) string {
	tb.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}
