package replication

import (
	"context"
	"fmt"
	"iter"
	"regexp"
	"slices"
	"strings"

	"github.com/objrepl/replication/backend"
)

// What is under the trash prefix is outside of what a policy looks at: it is
// neither foreign nor drift nor to be deleted, whoever put it there.

// hides reports whether a key, as the backend has it, is under the trash prefix.
func (e *endpoint) hides(key string) bool { return e.trash != "" && strings.HasPrefix(key, e.trash) }

// List is the backend's listing without what is hidden. A store that can start
// a listing at a key is asked to go on behind it, so that a trash costs one
// request and not its pages.
func (e *endpoint) List(ctx context.Context, opts backend.ListOptions) iter.Seq2[[]backend.Object, error] {
	if e.trash == "" {
		return e.Backend.List(ctx, opts)
	}
	behind := e.trash + top
	return func(yield func([]backend.Object, error) bool) {
		for again := true; again; {
			again = false
			for page, err := range e.Backend.List(ctx, opts) {
				if err != nil {
					yield(nil, err)
					return
				}
				again = len(page) > 0 && e.hides(page[len(page)-1].Key) && e.props.StartAfter && opts.After < behind
				page = slices.DeleteFunc(page, func(o backend.Object) bool { return e.hides(o.Key) })
				if len(page) > 0 && !yield(page, nil) {
					return
				}
				if again {
					opts.After = behind
					break
				}
			}
		}
	}
}

// refuseTrash fails a source object that would be written into the trash.
func (p *pass) refuseTrash(key string) error {
	if !p.destination.hides(p.destination.key(key)) {
		return nil
	}
	return fmt.Errorf("%w: key %q at the destination lies under trash_prefix %q; choose another trash_prefix, or exclude the object",
		backend.ErrInvalidKey, p.destination.key(key), p.policy.TrashPrefix)
}

// trashedKey is how keys in a trash look, whatever its prefix.
var trashedKey = regexp.MustCompile(`\d{8}T\d{6}Z/`)

// fromTrash reports whether an object may have been put where it is as trash, of
// a prefix that the policy had once. Its marker is then that of an object which
// stood elsewhere, and no reason to delete it.
func fromTrash(key string) bool { return trashedKey.MatchString(key) }
