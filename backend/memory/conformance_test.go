package memory_test

import (
	"context"
	"testing"

	"go.uber.org/goleak"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/backendtest"
	"github.com/objrepl/replication/backend/memory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestConformance runs the whole suite on the reference implementation, with
// pages so small that every listing has borders, and on weaker stores, which
// have to refuse what they do not declare.
func TestConformance(t *testing.T) {
	for name, opts := range map[string][]memory.Option{
		"default":     nil,
		"small pages": {memory.WithPageSize(3)},
		"one by one":  {memory.WithPageSize(1)},
		"no conditions": {memory.WithProperties(func(p *backend.Properties) {
			p.Put, p.Delete = backend.Conditions{}, backend.Conditions{}
		})},
		"limits": {memory.WithProperties(func(p *backend.Properties) {
			p.MaxPut, p.MaxMetadata, p.UnknownSize, p.CheckKey = 1<<20, 2048, false, nil
		})},
		"limited, of unknown size": {memory.WithProperties(func(p *backend.Properties) { p.MaxPut = 1 << 20 })},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := memory.New(append(opts, memory.WithService("test"))...)
			open := func(name string) backendtest.Opener {
				return func(ctx context.Context) (backend.Backend, error) {
					return d.Open(ctx, backend.Settings{"name": name})
				}
			}
			backendtest.Test(t, open("s"), backendtest.Options{LargeSize: 1 << 20, Other: open("other")})
			if n := d.Store("s").Len() + d.Store("other").Len(); n != 0 {
				t.Errorf("the suite left %d objects behind", n)
			}
		})
	}
}
