package memory

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/internal/usermeta"
)

var _ backend.ObjectTagger = (*Store)(nil)

// defaultClass is that of objects written without one.
const defaultClass = "STANDARD"

// checkClass takes any word: the store keeps it, and it means nothing.
func checkClass(class string) error {
	if class == "" {
		return errors.New("it is empty")
	}
	return nil
}

// newVersion returns a version without bytes, or why what it is to have beside
// them cannot be kept. It shares nothing with the caller's.
func (s *Store) newVersion(key string, m backend.Metadata, tags map[string]string, class string) (*version, error) {
	metadata, err := s.normal(m)
	if err != nil {
		return nil, err
	}
	for name := range tags {
		if name == "" {
			return nil, fmt.Errorf("%w: an object tag has no name", backend.ErrInvalidMetadata)
		}
	}
	switch check := s.properties.CheckClass; {
	case check == nil:
		err = usermeta.CheckNone(nil, class)
	case class == "":
		class = defaultClass
	default:
		err = check(class)
	}
	return &version{
		object:   backend.Object{Key: key, Class: class, ObjectTags: len(tags)},
		metadata: metadata, tags: maps.Clone(tags),
	}, err
}

// ObjectTags implements backend.ObjectTagger.
func (s *Store) ObjectTags(ctx context.Context, key string) (map[string]string, error) {
	v, err := s.find(ctx, key)
	if err != nil {
		return nil, fail("read object tags", key, err)
	}
	return maps.Clone(v.tags), nil
}
