package replication

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"

	"github.com/objrepl/replication/backend"
)

// anyClass stands in Policy.StorageClass for every class that it does not name.
const anyClass = "*"

// A carrier takes along, with each object that is copied, what its policy asks
// for beside bytes and metadata: object tags and the storage class.
type carrier struct {
	pass   *pass
	tagger backend.ObjectTagger // of the source; nil where no tags are asked for
	// counts: an answer of the source has told how many tags an object has. One
	// that tells of none is believed from then on; before, it may be that of a
	// server that never tells, or not to these credentials.
	counts atomic.Bool
}

// carriesMore reports whether an object's copy is to have something else beside
// its bytes than a copy that the store makes by itself: then every object has
// to be written by a Put of our own.
func (p Policy) carriesMore() bool { return p.ObjectTags || len(p.StorageClass) > 0 }

// newCarrier refuses what one of the stores can never do, by the name of the
// field, before anything is copied.
func (p *pass) newCarrier() (*carrier, error) {
	c := &carrier{pass: p}
	if !p.policy.carriesMore() {
		return c, nil
	}
	refuse := func(field string, e *endpoint, what string) (*carrier, error) {
		return nil, fmt.Errorf("%w: %s: %s %s %s; leave %s out", ErrInvalidPolicy, field, e.role, e.props.Location, what, field)
	}
	if p.policy.ObjectTags {
		for _, e := range []*endpoint{p.source, p.destination} {
			if e.tagger == nil {
				return refuse("object_tags", e, "has no object tags")
			}
		}
		c.tagger = p.source.tagger
	}
	classes := p.policy.StorageClass
	if len(classes) == 0 {
		return c, nil
	}
	if p.destination.props.CheckClass == nil {
		return refuse("storage_class", p.destination, "has no storage classes")
	}
	if _, any := classes[anyClass]; !any && p.source.props.CheckClass == nil {
		return refuse("storage_class", p.source, `has no storage classes, so that only "*" names its objects`)
	}
	for _, from := range slices.Sorted(maps.Keys(classes)) {
		if err := p.destination.props.CheckClass(classes[from]); err != nil {
			return nil, fmt.Errorf("%w: storage_class: %q is none of destination %s: %w", ErrInvalidPolicy, classes[from], p.destination.props.Location, err)
		}
	}
	return c, nil
}

// carry returns what the copy of a source version has beside bytes and
// metadata. Listed is the class in its listing, for the answers of Open that
// have none; head says that the version is known from a HEAD, which need not
// tell of tags.
func (c *carrier) carry(ctx context.Context, key string, object backend.Object, listed string, head bool) (tags map[string]string, class string, err error) {
	if class, err = c.class(ctx, key, object, listed); err == nil {
		tags, err = c.tags(ctx, key, object, head)
	}
	return tags, class, err
}

func (c *carrier) class(ctx context.Context, key string, object backend.Object, listed string) (string, error) {
	classes := c.pass.policy.StorageClass
	if len(classes) == 0 {
		return "", nil
	}
	from := object.Class
	if from == "" {
		from = listed
	}
	if from == "" && c.pass.source.props.CheckClass != nil {
		there, err := c.pass.source.Stat(ctx, c.pass.source.key(key))
		if err != nil {
			return "", c.pass.source.wrap(err)
		}
		from = there.Class
	}
	if to, ok := classes[from]; ok && from != anyClass {
		return to, nil
	}
	if to, ok := classes[anyClass]; ok {
		return to, nil
	}
	return "", fmt.Errorf("source %s: its storage class %q is not in storage_class of the policy: name it there, or \"*\" for all others",
		c.pass.source.props.Location, from)
}

// tags reads the object tags of a source object: one request, or none where it
// is known to have no tags. They may be those of a later version, which the next
// pass then copies as a whole.
func (c *carrier) tags(ctx context.Context, key string, object backend.Object, head bool) (map[string]string, error) {
	if c.tagger == nil {
		return nil, nil
	}
	if object.ObjectTags > 0 {
		c.counts.Store(true)
	} else if !head && c.counts.Load() {
		return nil, nil
	}
	tags, err := c.tagger.ObjectTags(ctx, c.pass.source.key(key))
	switch {
	case absent(err):
		return nil, errSourceChanged
	case errors.Is(err, errors.ErrUnsupported):
		err = fmt.Errorf("object_tags: %w", c.pass.source.wrap(err))
		c.pass.stop(err)
		return nil, err
	case err != nil:
		return nil, c.pass.source.wrap(err)
	}
	return tags, nil
}
