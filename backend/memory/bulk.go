package memory

import (
	"context"
	"errors"
	"fmt"

	"github.com/objrepl/replication/backend"
)

var _ backend.BulkDeleter = (*Store)(nil)

// maxBulkDelete is that of S3.
const maxBulkDelete = 1000

// DeleteMany implements backend.BulkDeleter. Like in the object stores, each
// deletion is a step of its own.
func (s *Store) DeleteMany(ctx context.Context, deletions []backend.Deletion) []error {
	errs := make([]error, len(deletions))
	for i, d := range deletions {
		if err := s.deleteOneOf(ctx, d, len(deletions)); err != nil {
			errs[i] = fail("delete", d.Key, err)
		}
	}
	return errs
}

func (s *Store) deleteOneOf(ctx context.Context, d backend.Deletion, among int) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := s.check(d.Key); err != nil {
		return err
	}
	switch p := &s.properties; {
	case among > p.MaxBulkDelete:
		return fmt.Errorf("%d deletions at once, at most %d: %w", among, p.MaxBulkDelete, errors.ErrUnsupported)
	case d.IfMatch != "" && !p.BulkDelete.IfMatch:
		return fmt.Errorf("delete among others on a condition: %w", errors.ErrUnsupported)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := holds(backend.Condition{Match: d.IfMatch}, s.objects.get(d.Key)); err != nil {
		return err
	}
	s.objects.remove(d.Key)
	return nil
}
