package replication

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/objrepl/replication/backend"
)

// A registry knows drivers and named backends. It does not change once New has
// built it.
type registry struct {
	drivers map[string]backend.Driver
	named   map[string]namedBackend
}

// newRegistry adds the given drivers and named backends to the built-in
// drivers.
func newRegistry(builtin, drivers []backend.Driver, named map[string]namedBackend) (*registry, error) {
	r := &registry{drivers: map[string]backend.Driver{}, named: named}
	for _, d := range slices.Concat(builtin, drivers) {
		r.drivers[d.Name()] = d
	}
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(named)) {
		n := named[name]
		d, ok := r.drivers[n.driver]
		switch _, clash := r.drivers[name]; {
		case clash:
			errs = append(errs, fmt.Errorf("backend %q: a driver has this name; choose another", name))
		case !ok:
			errs = append(errs, fmt.Errorf("backend %q: %w", name, unknownBackend(n.driver, slices.Sorted(maps.Keys(r.drivers)))))
		default:
			// A missing setting may still come from the policy that uses it.
			if err := checkKnown(d.Schema(), n.settings); err != nil {
				errs = append(errs, fmt.Errorf("backend %q: %w", name, err))
			}
		}
	}
	return r, errors.Join(errs...)
}

// checkKnown validates the settings that are there.
func checkKnown(schema backend.Schema, settings map[string]string) error {
	relaxed := slices.Clone(schema)
	for i := range relaxed {
		relaxed[i].Required = false
	}
	return relaxed.Validate(settings)
}

// names lists everything that a policy can name as a backend.
func (r *registry) names() []string {
	return slices.Sorted(func(yield func(string) bool) {
		for name := range r.drivers {
			if !yield(name) {
				return
			}
		}
		for name := range r.named {
			if !yield(name) {
				return
			}
		}
	})
}

// resolve finds the schema behind a name, and the settings that lie under the
// policy's own.
func (r *registry) resolve(name string) (backend.Schema, map[string]string, bool) {
	if n, ok := r.named[name]; ok {
		d, ok := r.drivers[n.driver]
		if !ok {
			return nil, nil, false
		}
		return d.Schema(), n.settings, true
	}
	if d, ok := r.drivers[name]; ok {
		return d.Schema(), nil, true
	}
	return nil, nil, false
}

func (r *registry) isSecret(name, setting string) bool {
	schema, _, ok := r.resolve(name)
	if !ok {
		return true // what is not known is not shown
	}
	for _, s := range schema {
		if s.Name == setting {
			return s.Secret
		}
	}
	return true
}

func (r *registry) redact(name string, settings map[string]string) map[string]string {
	schema, _, _ := r.resolve(name) // an unknown one has no settings that may be shown
	return schema.Redact(settings)
}

// open opens a backend with settings over those that its name brings along.
func (r *registry) open(ctx context.Context, name string, settings map[string]string) (backend.Backend, error) {
	schema, base, ok := r.resolve(name)
	if !ok {
		return nil, unknownBackend(name, r.names())
	}
	driver := r.drivers[name]
	if n, ok := r.named[name]; ok {
		driver = r.drivers[n.driver]
	}
	merged := maps.Clone(base)
	if merged == nil {
		merged = map[string]string{}
	}
	maps.Copy(merged, settings)
	resolved, err := schema.Resolve(merged)
	if err != nil {
		return nil, fmt.Errorf("backend %q: %w", name, err)
	}
	b, err := driver.Open(ctx, resolved)
	if err != nil {
		return nil, fmt.Errorf("backend %q: %w", name, err)
	}
	return b, nil
}
