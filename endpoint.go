package replication

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/objrepl/replication/backend"
)

// An endpoint is one side of a policy: an open backend and the prefix that
// turns a relative key into one of its keys.
type endpoint struct {
	backend.Backend
	role   string // "source" or "destination"
	name   string // as the policy names it
	prefix string
	props  backend.Properties
	// answered: it has answered in this pass.
	answered atomic.Bool
}

func newEndpoint(b backend.Backend, role, name, prefix string) *endpoint {
	return &endpoint{Backend: b, role: role, name: name, prefix: prefix, props: b.Properties()}
}

// key returns the backend's key for a relative one.
func (e *endpoint) key(relative string) string { return e.prefix + relative }

// relative is the inverse of key, for keys that have the prefix.
func (e *endpoint) relative(key string) (string, bool) { return strings.CutPrefix(key, e.prefix) }

// wrap says in an error which side of the policy, and which place, it comes
// from.
func (e *endpoint) wrap(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s %s: %w", e.role, e.props.Location, err)
}

// destinationPrefix applies the rule of Policy.DestinationPrefix.
func (p Policy) destinationPrefix() string {
	switch p.DestinationPrefix {
	case "":
		return p.SourcePrefix
	case "/":
		return ""
	default:
		return p.DestinationPrefix
	}
}

// checkApart refuses a policy that would replicate a store into itself: what
// it wrote would be its own source, or its source its own to overwrite.
func checkApart(source, destination *endpoint) error {
	if source.props.Location == "" || destination.props.Location == "" {
		return nil
	}
	from := strings.TrimSuffix(source.props.Location, "/") + "/" + source.prefix
	to := strings.TrimSuffix(destination.props.Location, "/") + "/" + destination.prefix
	if strings.HasPrefix(from, to) || strings.HasPrefix(to, from) {
		return fmt.Errorf("%w: source %s and destination %s overlap; choose a place or prefix outside of the other",
			ErrInvalidPolicy, from, to)
	}
	return nil
}

// checkUsable refuses stores that a pass cannot work with.
func (e *endpoint) checkUsable() error {
	if !e.props.Ordered {
		return fmt.Errorf("%s %q does not list its objects in key order, which a pass needs: %w",
			e.role, e.name, errors.ErrUnsupported)
	}
	return nil
}
