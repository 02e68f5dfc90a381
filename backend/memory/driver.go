package memory

import (
	"context"
	"fmt"
	"sync"

	"github.com/objrepl/replication/backend"
)

// A Driver holds named stores. It is safe for concurrent use.
type Driver struct {
	opts []Option

	mu     sync.Mutex
	stores map[string]*Store // guarded by mu
}

// New returns a Driver without stores. The options are those of each store
// that it makes.
func New(opts ...Option) *Driver {
	return &Driver{opts: opts, stores: map[string]*Store{}}
}

// Name implements backend.Driver.
func (d *Driver) Name() string { return driverName }

// Schema implements backend.Driver: the one setting is the store's name.
func (d *Driver) Schema() backend.Schema {
	return backend.Schema{{
		Name:     "name",
		Required: true,
		Help:     "which store of this driver value to open; made where there is none",
	}}
}

// Open implements backend.Driver.
func (d *Driver) Open(ctx context.Context, s backend.Settings) (backend.Backend, error) {
	if err := ctx.Err(); err != nil {
		return nil, &backend.Error{Op: "open", Backend: driverName, Err: err}
	}
	if s["name"] == "" {
		return nil, &backend.Error{Op: "open", Backend: driverName, Err: fmt.Errorf("missing setting %q", "name")}
	}
	return d.Store(s["name"]), nil
}

// Store returns the store of that name, making it where there is none: the
// very one that Open returns, for tests that look at it directly.
func (d *Driver) Store(name string) *Store {
	d.mu.Lock()
	defer d.mu.Unlock()
	s, ok := d.stores[name]
	if !ok {
		s = NewBackend(d.opts...)
		// The address tells stores of equal name in two drivers apart.
		s.properties.Location = fmt.Sprintf("memory:%p/%s", d, name)
		d.stores[name] = s
	}
	return s
}
