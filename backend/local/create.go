package local

import "context"

// Create implements backend.Creator: it makes the directory, unless it is
// there or the setting create is false.
func (s *store) Create(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return s.fail("create", "", err)
	}
	h, err := s.acquire(true)
	if err != nil {
		return s.fail("create", "", err)
	}
	h.release()
	return nil
}
