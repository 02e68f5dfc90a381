package replication

import (
	"context"
	"fmt"
	"strings"

	"github.com/objrepl/replication/backend"
)

// Deletions of many objects at once, and the trash, in the model.

const modelTrash = "d/trash/" // in the middle of the keys

func inModelTrash(key string) bool { return strings.HasPrefix(key, modelTrash) }

// Properties are those of the store, or what a mutant makes the engine believe.
func (h *simStore) Properties() backend.Properties {
	p := h.Store.Properties()
	if h.sim.mutant.blindBulk && h.sim.mutant.on(h, sideDestination) {
		p.BulkDelete.IfMatch = true
	}
	return p
}

// looked notes that the pass under test is told the tag of an object.
func (h *simStore) looked(o backend.Object) {
	if h.side == sideDestination && h.actor == modelPolicy && o.Key != "" {
		h.sim.looks[o.Key] = append(h.sim.looks[o.Key], h.sim.clock)
	}
}

// DeleteMany is one call to the scheduler, whose fault is that of all.
func (h *simStore) DeleteMany(ctx context.Context, deletions []backend.Deletion) []error {
	errs := make([]error, len(deletions))
	var keys []string
	for _, d := range deletions {
		keys = append(keys, d.Key)
	}
	if h.sim.mutant.on(h, sideDestination) {
		for i := range deletions {
			h.sim.mutant.deletingMany(&deletions[i])
		}
	}
	err := h.do(ctx, "delete many", strings.Join(keys, " "), func(v verdictOf) error {
		apply := func(late bool) error {
			for i, d := range deletions {
				before := h.sim.destination[d.Key]
				if errs[i] = h.Store.DeleteMany(context.Background(), deletions[i:i+1])[0]; errs[i] == nil && before != nil {
					h.sim.removed(h, before, late)
				}
			}
			return nil
		}
		if v.late > 0 {
			h.sim.postpone(v.late, fmt.Sprintf("late: %s delete many %q", h.actor, keys), func() error { return apply(true) })
			return backend.ErrUnavailable
		}
		return apply(false)
	})
	if err != nil {
		errs = make([]error, len(deletions)) // a late call fills in the others
		for i := range errs {
			errs[i] = err
		}
	}
	return errs
}

func (m *mutant) deletingMany(d *backend.Deletion) {
	if m.deleteAnything || m.blindBulk {
		d.IfMatch = ""
	}
}

func (h *simStore) Copy(ctx context.Context, from, to string, opts backend.CopyOptions) (o backend.Object, err error) {
	err = h.do(ctx, "copy", from, func(v verdictOf) error {
		apply := func() error {
			if before := h.sim.destination[from]; h.sim.mutant.trashLast && h.sim.mutant.on(h, sideDestination) && before != nil {
				if err := h.Store.Delete(context.Background(), from, backend.DeleteOptions{}); err != nil {
					return err
				}
				h.sim.removed(h, before, false)
				var err error
				o, err = h.Store.Put(context.Background(), to, backend.Bytes([]byte(before.data)), backend.PutOptions{Metadata: before.meta})
				return err
			}
			var err error
			o, err = h.Store.Copy(context.Background(), from, to, opts)
			return err
		}
		if v.late > 0 {
			h.sim.postpone(v.late, fmt.Sprintf("late: %s copy %q", h.actor, from), apply)
			return backend.ErrUnavailable
		}
		return apply()
	})
	return o, err
}

// excusedDeletion reports whether a store without conditions makes a change in
// between be lost: one that came after the pass has read the tag again, which it
// first read when it listed.
func (s *simulation) excusedDeletion(actor string, before *destinationVersion, late bool) bool {
	if actor != modelPolicy || late || s.anyLate {
		return s.excused(actor, before, late)
	}
	looks := s.looks[before.key]
	return !s.plan.setup.conditions && len(looks) > 1 && before.at >= looks[len(looks)-1]
}

// checkTrashed wants what a replicator deletes to be in the trash, whole, at the
// moment at which it is gone from its place.
func (s *simulation) checkTrashed(actor string, before *destinationVersion) {
	if !s.plan.setup.trash {
		return
	}
	key, err := s.findTrashed(before)
	if err != nil {
		s.violated("%s deleted %s under %q, which is not in the trash: %v", actor, before, before.key, err)
		return
	}
	s.trashed[key] = before
}

// findTrashed returns the key in the trash of a copy of a version.
func (s *simulation) findTrashed(v *destinationVersion) (string, error) {
	store := s.stores[sideDestination]
	for page, err := range store.List(context.Background(), backend.ListOptions{Prefix: modelTrash}) {
		s.must(err)
		for _, o := range page {
			if _, taken := s.trashed[o.Key]; !taken && strings.HasSuffix(o.Key, "Z/"+v.key) && s.whole(o.Key, v) == nil {
				return o.Key, nil
			}
		}
	}
	return "", fmt.Errorf("no such copy")
}

// whole reports in what an object in the trash differs from a version.
func (s *simulation) whole(key string, v *destinationVersion) error {
	o, r, err := s.stores[sideDestination].Open(context.Background(), key, backend.OpenOptions{})
	if err != nil {
		return err
	}
	defer r.Close()
	data := make([]byte, o.Size)
	for n := 0; n < len(data); {
		more, err := r.Read(data[n:])
		if err != nil {
			return err
		}
		n += more
	}
	if string(data) != v.data || !sameMetadata(*o.Metadata, v.meta) {
		return fmt.Errorf("%q holds %s", key, brief(string(data)))
	}
	return nil
}

// checkTrash wants what was trashed to be in the trash, whole, for good.
func (s *simulation) checkTrash() {
	for _, key := range sortedKeys(s.trashed) {
		if err := s.whole(key, s.trashed[key]); err != nil {
			s.violated("what was trashed of %q is no longer whole in the trash: %v", s.trashed[key].key, err)
		}
	}
}
