package replication

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/memory"
)

// CopierFrom lets copies from another hooked store go by the hooks.
func (h *hooked) CopierFrom(source backend.Backend) backend.Copier {
	from, ok := source.(*hooked)
	if !ok {
		return nil
	}
	c, ok := h.Store.CopierFrom(from.Store).(backend.PartCopier)
	if !ok {
		return nil
	}
	return hookedCopier{c, h, from}
}

type hookedCopier struct {
	backend.PartCopier
	to, from *hooked
}

func (c hookedCopier) Copy(ctx context.Context, from, to string, opts backend.CopyOptions) (backend.Object, error) {
	if err := c.to.note("copy", to); err != nil {
		return backend.Object{}, err
	}
	if err := c.sameStamp(from, &opts.FromStamp); err != nil {
		return backend.Object{}, err
	}
	o, err := c.PartCopier.Copy(ctx, from, to, opts)
	return o, c.to.done("copy", to, err)
}

func (c hookedCopier) CopyPart(ctx context.Context, from string, r backend.CopyRange, u backend.PartUpload, number int) (backend.Part, error) {
	op, key := fmt.Sprintf("copy part %d", number), ""
	if hu, ok := u.(*hookedUpload); ok {
		u, key = hu.PartUpload, hu.key
	}
	if err := c.to.note(op, key); err != nil {
		return backend.Part{}, err
	}
	if err := c.sameStamp(from, &r.Stamp); err != nil {
		return backend.Part{}, err
	}
	p, err := c.PartCopier.CopyPart(ctx, from, r, u, number)
	return p, c.to.done(op, key, err)
}

// sameStamp compares the stamp that the hooks give an object, which its store does
// not know of.
func (c hookedCopier) sameStamp(key string, stamp *string) error {
	if *stamp != "" && (c.from.stamp == nil || c.from.stamp(key) != *stamp) {
		return backend.ErrPrecondition
	}
	*stamp = ""
	return nil
}

// newWithinWorld makes a world both sides of which are of one service.
func newWithinWorld(t *testing.T, opts ...memory.Option) *world {
	return newWorld(t, append([]memory.Option{memory.WithService("one")}, opts...)...)
}

// blindCopies makes copies ignore conditions on the target, as MinIO does.
func blindCopies(p *backend.Properties) { p.Copy = backend.Conditions{} }

// failOnce is a hook that fails the first call of an operation.
func failOnce(op string, err error) func(op, key string) error {
	failed := false
	return func(o, _ string) error {
		if o != op || failed {
			return nil
		}
		failed = true
		return err
	}
}

// intentFiles returns the names of what is written down of copies.
func (w *world) intentFiles() (names []string) {
	entries, err := w.r.state.FS().(fs.ReadDirFS).ReadDir(policyDir("p") + "/" + intentsDir)
	if !errors.Is(err, fs.ErrNotExist) {
		require.NoError(w.t, err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// reopen opens a replicator on the state directory again, as a new process would.
func (w *world) reopen() { w.restart(w.r.config.stateDir) }
