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

// condition weakens c to what the store honours. The caller has shown the
// loss to the user, see weaker.
func (e *endpoint) condition(c backend.Condition) backend.Condition {
	return weakened(c, e.props.Put)
}

// completeCondition is condition for the end of an upload in parts.
func (e *endpoint) completeCondition(c backend.Condition) backend.Condition {
	return weakened(c, e.props.Complete)
}

func weakened(c backend.Condition, honoured backend.Conditions) backend.Condition {
	if !honoured.IfAbsent {
		c.Absent = false
	}
	if !honoured.IfMatch {
		c.Match = ""
	}
	return c
}

// weaker names the guarantees that this destination cannot give.
func (e *endpoint) weaker() []string {
	var out []string
	say := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	p := e.props
	if !p.Put.IfAbsent {
		say("%s %q cannot create conditionally: an object that somebody else creates during a pass may be overwritten", e.role, e.name)
	}
	if !p.Put.IfMatch {
		say("%s %q cannot replace conditionally: a change that somebody else makes during a pass may be overwritten", e.role, e.name)
	}
	if !p.Delete.IfMatch {
		say("%s %q cannot delete conditionally: the tag is looked at just before, and a change in between is lost", e.role, e.name)
	}
	_, parts := backend.As[backend.PartUploader](e.Backend)
	if parts && (!p.Complete.IfAbsent || !p.Complete.IfMatch) {
		say("%s %q cannot complete an upload in parts conditionally: the tag is looked at just before, and a change in between is overwritten", e.role, e.name)
	}
	if _, lists := backend.As[backend.UploadLister](e.Backend); parts && !lists {
		say("%s %q cannot list uploads: one whose beginning was never answered, in a crash, stays there without parts", e.role, e.name)
	}
	if p.Put.Local || p.Delete.Local {
		say("%s %q keeps conditions only among programs that use this library on one machine", e.role, e.name)
	}
	return out
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
