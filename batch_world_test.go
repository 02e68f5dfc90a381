package replication

import (
	"context"

	"github.com/objrepl/replication/backend"
)

// DeleteMany is one call of which each key meets the hooks of a deletion.
func (h *hooked) DeleteMany(ctx context.Context, deletions []backend.Deletion) []error {
	h.mu.Lock()
	h.log = append(h.log, "delete")
	before, after := h.before, h.after
	h.mu.Unlock()
	errs := make([]error, len(deletions))
	for i, d := range deletions {
		if before != nil {
			errs[i] = before("delete", d.Key)
		}
		if errs[i] == nil {
			errs[i] = h.Store.DeleteMany(ctx, deletions[i:i+1])[0]
		}
		if errs[i] == nil && after != nil {
			errs[i] = after("delete", d.Key)
		}
	}
	return errs
}

func (h *hooked) Copy(ctx context.Context, from, to string, opts backend.CopyOptions) (backend.Object, error) {
	if err := h.note("copy", from); err != nil {
		return backend.Object{}, err
	}
	o, err := h.Store.Copy(ctx, from, to, opts)
	return o, h.done("copy", from, err)
}
