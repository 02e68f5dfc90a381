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
	trash  string               // what begins with it is not there; see List
	copies bool                 // within the store, as a Copier
	tagger backend.ObjectTagger // nil in a store without object tags
	copier backend.Copier       // from the policy's source, of a destination of one service
	// answered: it has answered in this pass.
	answered atomic.Bool
}

func newEndpoint(b backend.Backend, role, name, prefix string) *endpoint {
	_, copies := backend.As[backend.Copier](b)
	tagger, _ := backend.As[backend.ObjectTagger](b)
	return &endpoint{Backend: b, role: role, name: name, prefix: prefix, props: b.Properties(), copies: copies, tagger: tagger}
}

// copyFrom lets the destination's store copy from the source's where it can. It is
// for policies that leave the bytes as they are.
func (e *endpoint) copyFrom(source *endpoint) {
	e.copier = backend.CopierBetween(source.Backend, e.Backend)
}

// key returns the backend's key for a relative one.
func (e *endpoint) key(relative string) string { return e.prefix + relative }

// refuse fails an object that the store can have under no such name, before
// anything is asked of either side: it fails again in every pass.
func (e *endpoint) refuse(relative string) error {
	if e.props.CheckKey == nil {
		return nil
	}
	err := e.props.CheckKey(e.key(relative))
	var known *backend.Error // of a driver that has a hint to give
	if err != nil && !errors.As(err, &known) {
		err = &backend.Error{Op: "put", Backend: e.name, Key: e.key(relative), Err: err}
	}
	return e.wrap(err)
}

// relative is the inverse of key, for keys that have the prefix.
func (e *endpoint) relative(key string) (string, bool) { return strings.CutPrefix(key, e.prefix) }

// wrap says in an error which side of the policy, and which place, it comes
// from.
func (e *endpoint) wrap(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s %s: %w%s", e.role, e.props.Location, err, adviceOn(err))
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
// it wrote would be its own source, or its source its own to overwrite. So it
// does where the shared state lies in what is replicated, or in the trash, which
// people empty, or the trash in the state.
func (r *Replicator) checkApart(p Policy, source, destination *endpoint, state *policyState) error {
	if overlap(source.place(), destination.place()) {
		return fmt.Errorf("%w: source %s and destination %s overlap; choose a place or prefix outside of the other",
			ErrInvalidPolicy, source.place(), destination.place())
	}
	if r.config.state == nil {
		return nil
	}
	kept := placeWithin(state.Properties().Location, r.config.state.prefix+policiesDir+"/")
	for _, e := range []*endpoint{source, destination} {
		if overlap(kept, e.place()) {
			return fmt.Errorf("%w: the state in %s and the %s %s overlap; choose another prefix or store for the state",
				ErrInvalidPolicy, kept, e.role, e.place())
		}
	}
	if trash := p.trashPlace(destination); overlap(kept, trash) {
		return fmt.Errorf("%w: trash_prefix: the state in %s and the trash in %s overlap; choose another trash_prefix, or another prefix or store for the state",
			ErrInvalidPolicy, kept, trash)
	}
	return nil
}

// place is where the endpoint's objects lie, empty where that is not known.
func (e *endpoint) place() string { return placeWithin(e.props.Location, e.prefix) }

func placeWithin(location, prefix string) string {
	if location == "" {
		return ""
	}
	return strings.TrimSuffix(location, "/") + "/" + prefix
}

func overlap(a, b string) bool {
	return a != "" && b != "" && (strings.HasPrefix(a, b) || strings.HasPrefix(b, a))
}

// checkUsable refuses stores that a pass cannot work with.
func (e *endpoint) checkUsable() error {
	if !e.props.Ordered {
		return fmt.Errorf("%s %q does not list its objects in key order, which a pass needs: %w",
			e.role, e.name, errors.ErrUnsupported)
	}
	return nil
}
