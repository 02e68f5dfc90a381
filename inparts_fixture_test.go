package replication

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/memory"
)

// UploadParts makes the uploads of a hooked store go by its hooks too.
func (h *hooked) UploadParts(ctx context.Context, key string, opts backend.PartsOptions) (backend.PartUpload, error) {
	op := "begin"
	if opts.ID != "" {
		op = "resume"
	}
	if err := h.note(op, key); err != nil {
		return nil, err
	}
	if h.beginning != nil && opts.ID == "" {
		if err := h.beginning(opts.Metadata); err != nil {
			return nil, err
		}
	}
	u, err := h.Store.UploadParts(ctx, key, opts)
	return &hookedUpload{u, h, key}, h.done(op, key, err)
}

type hookedUpload struct {
	backend.PartUpload
	store *hooked
	key   string
}

func (u *hookedUpload) Put(ctx context.Context, number int, body backend.Body) (backend.Part, error) {
	op := fmt.Sprintf("part %d", number)
	if err := u.store.note(op, u.key); err != nil {
		return backend.Part{}, err
	}
	p, err := u.PartUpload.Put(ctx, number, body)
	return p, u.store.done(op, u.key, err)
}

func (u *hookedUpload) Complete(ctx context.Context, parts []backend.Part, c backend.Condition) (backend.Object, error) {
	if err := u.store.note("complete", u.key); err != nil {
		return backend.Object{}, err
	}
	o, err := u.PartUpload.Complete(ctx, parts, c)
	return o, u.store.done("complete", u.key, err)
}

func (u *hookedUpload) Abort(ctx context.Context) error {
	if err := u.store.note("abort", u.key); err != nil {
		return err
	}
	return u.store.done("abort", u.key, u.PartUpload.Abort(ctx))
}

// newPartsWorld is a world in which 1,000 bytes are large and a part has 100.
func newPartsWorld(t *testing.T, opts ...memory.Option) *world {
	w := newWorld(t, opts...)
	w.smallParts()
	return w
}

// smallParts also takes it that no request comes late.
func (w *world) smallParts() { w.r.config.partsFrom, w.r.config.partSize, w.r.late = 1000, 100, 0 }

// restartParts opens the state directory as a new process would.
func (w *world) restartParts() {
	w.restart(w.r.config.stateDir)
	w.smallParts()
}

// large is content of 1,050 bytes: eleven parts.
func large(seed string) string {
	return strings.Repeat(seed, 1050/len(seed)+1)[:1050]
}

// uploadCalls are the calls to a store, but for listings and looks, in order of
// their names.
func uploadCalls(h *hooked) []string {
	calls := slices.DeleteFunc(h.calls(), func(op string) bool { return op == "list" || op == "stat" })
	slices.Sort(calls)
	return calls
}

// requireNoUploads wants nothing left of any upload.
func (w *world) requireNoUploads() {
	w.t.Helper()
	require.Empty(w.t, w.destination.Uploads())
	files, err := filepath.Glob(filepath.Join(w.r.config.stateDir, policyDir("p"), uploadsDir, "*"))
	require.NoError(w.t, err)
	require.Empty(w.t, files)
}

// interrupted runs a pass that ends when a part of the large object is about to
// be put, as far as a process does that is killed then.
func (w *world) interrupted(part int) {
	w.t.Helper()
	ctx, cancel := context.WithCancel(w.t.Context())
	defer cancel()
	w.destination.before = func(op, _ string) error {
		var n int
		if _, err := fmt.Sscanf(op, "part %d", &n); err == nil && n >= part {
			w.awaitFirstPart()
			cancel()
			return ctx.Err()
		}
		return nil
	}
	_, err := w.r.Sync(ctx, w.policy)
	require.ErrorIs(w.t, err, context.Canceled)
	w.destination.before = nil
	require.Len(w.t, w.destination.Uploads(), 1)
}

// awaitFirstPart waits until the one upload there is has its first part.
func (w *world) awaitFirstPart() {
	assert.Eventually(w.t, func() bool {
		ids := w.destination.Uploads()
		if len(ids) != 1 {
			return false
		}
		u, err := w.destination.Store.UploadParts(context.Background(), "big", backend.PartsOptions{ID: ids[0]})
		if err != nil {
			return false
		}
		parts, err := u.Parts(context.Background())
		return err == nil && len(parts) > 0 && parts[0].Number == 1
	}, 10*time.Second, time.Millisecond)
}
