package replication

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
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

func TestLargeObjectsAreCopiedInParts(t *testing.T) {
	w := newPartsWorld(t)
	w.put(w.source, "big", large("abcdefg"))
	w.put(w.source, "small", "s")
	w.destination.before = func(op, key string) error {
		if op == "complete" {
			_, err := w.destination.Store.Stat(t.Context(), "big")
			assert.ErrorIs(t, err, fs.ErrNotExist, "it shows too early")
			journals, err := filepath.Glob(filepath.Join(w.r.config.stateDir, policyDir("p"), uploadsDir, "*.json"))
			assert.NoError(t, err)
			assert.Len(t, journals, 1)
		}
		return nil
	}
	res := w.mustSync()
	w.destination.before = nil
	require.EqualValues(t, 2, res.Synced)
	w.requireEqual()
	w.requireNoUploads()
	calls := uploadCalls(w.destination)
	require.Len(t, slices.DeleteFunc(slices.Clone(calls), func(op string) bool { return !strings.HasPrefix(op, "part ") }), 11)
	require.Contains(t, calls, "complete")
	require.Len(t, uploadCalls(w.source), 12, "one reading for each part, and one for the small object")
	o, err := w.destination.Stat(t.Context(), "big")
	require.NoError(t, err)
	mk, marked := readMarker(o.Metadata)
	require.True(t, marked)
	require.Equal(t, "p", mk.policy)
	w.requireQuiet()

	w.put(w.source, "big", large("another"))
	require.EqualValues(t, 1, w.mustSync().Synced)
	w.requireEqual()
	w.requireNoUploads()
}

func TestAnUploadThatWasCutShortGoesOnInANewProcess(t *testing.T) {
	w := newPartsWorld(t)
	w.put(w.source, "big", large("abcdefg"))
	w.interrupted(6)
	uploadCalls(w.destination)
	u, err := w.destination.Store.UploadParts(t.Context(), "big", backend.PartsOptions{ID: w.destination.Uploads()[0]})
	require.NoError(t, err)
	have, err := u.Parts(t.Context())
	require.NoError(t, err)
	require.NotEmpty(t, have)

	w.restartParts()
	w.mustSync()
	calls := uploadCalls(w.destination)
	require.NotContains(t, calls, "begin")
	for _, part := range have {
		require.NotContains(t, calls, fmt.Sprintf("part %d", part.Number))
	}
	require.Len(t, calls, 1+11-len(have)+1, "%v", calls)
	w.requireEqual()
	w.requireNoUploads()
	w.requireQuiet()
}

func TestPartsOfAnEarlierVersionAreNeverUsed(t *testing.T) {
	w := newPartsWorld(t)
	w.put(w.source, "big", large("before"))
	w.interrupted(6)
	w.put(w.source, "big", large("after!"))
	uploadCalls(w.destination)
	w.restartParts()
	w.mustSync()
	calls := uploadCalls(w.destination)
	require.Contains(t, calls, "abort")
	require.Contains(t, calls, "part 1")
	w.requireEqual()
	w.requireNoUploads()
}

// A stamp that has not settled could be that of two contents, and so could the
// parts.
func TestPartsUnderAnUnsettledStampAreNotGoneOnWith(t *testing.T) {
	for _, later := range []string{"1", "1~"} {
		w := newPartsWorld(t)
		w.source.stamp = func(string) string { return "1~" }
		w.put(w.source, "big", large("abcdefg"))
		w.interrupted(6)
		uploadCalls(w.destination)
		w.source.stamp = func(string) string { return later }
		w.restartParts()
		w.mustSync()
		require.Contains(t, uploadCalls(w.destination), "part 1", later)
		w.requireEqual()
		w.requireNoUploads()
	}
}

func TestASourceThatChangesUnderItsPartsIsCopiedAnew(t *testing.T) {
	for name, change := range map[string]func(w *world){
		"replaced": func(w *world) { w.put(w.source, "big", large("after!")) },
		"shrunk":   func(w *world) { w.put(w.source, "big", "small now") },
		"removed":  func(w *world) { w.remove(w.source, "big") },
	} {
		t.Run(name, func(t *testing.T) {
			w := newPartsWorld(t)
			w.put(w.source, "a", "not empty")
			w.put(w.source, "big", large("before"))
			var once atomic.Bool
			w.destination.before = func(op, _ string) error {
				if op == "part 7" && !once.Swap(true) {
					change(w)
				}
				return nil
			}
			w.mustSync()
			w.requireEqual()
			w.requireNoUploads()
			w.mustSync()
			w.requireQuiet()
		})
	}
}

func TestALostAnswerOfCompleteIsLookedFor(t *testing.T) {
	w := newPartsWorld(t)
	w.put(w.source, "big", large("abcdefg"))
	w.destination.after = func(op, _ string) error {
		if op == "complete" {
			return backend.ErrUnavailable
		}
		return nil
	}
	w.mustSync()
	calls := uploadCalls(w.destination)
	require.Equal(t, 1, len(slices.DeleteFunc(slices.Clone(calls), func(op string) bool { return op != "complete" })))
	require.Equal(t, 1, len(slices.DeleteFunc(calls, func(op string) bool { return op != "begin" })))
	w.requireEqual()
	w.requireNoUploads()
	w.requireQuiet()
}

func TestACompleteThatDidNotApplyIsMadeAgain(t *testing.T) {
	w := newPartsWorld(t)
	w.put(w.source, "big", large("abcdefg"))
	var tries atomic.Int64
	w.destination.before = func(op, _ string) error {
		if op == "complete" && tries.Add(1) == 1 {
			return backend.ErrUnavailable
		}
		return nil
	}
	w.mustSync()
	require.EqualValues(t, 2, tries.Load())
	w.requireEqual()
	w.requireNoUploads()
}

func TestACrashAfterCompleteCopiesNothingTwice(t *testing.T) {
	w := newPartsWorld(t)
	w.put(w.source, "big", large("abcdefg"))
	ctx, cancel := context.WithCancel(t.Context())
	w.destination.after = func(op, _ string) error {
		if op == "complete" {
			cancel()
			return ctx.Err()
		}
		return nil
	}
	_, err := w.r.Sync(ctx, w.policy)
	require.ErrorIs(t, err, context.Canceled)
	w.destination.after = nil
	uploadCalls(w.destination)
	w.restartParts()
	require.EqualValues(t, 1, w.mustSync().Adopted)
	for _, op := range uploadCalls(w.destination) {
		require.False(t, strings.HasPrefix(op, "part ") || op == "begin" || op == "complete", op)
	}
	w.requireEqual()
	w.requireNoUploads()
}

func TestAForeignObjectThatAppearsMeanwhileStays(t *testing.T) {
	for name, opt := range map[string]memory.Option{
		"conditions": func(*memory.Store) {},
		"none of Complete": memory.WithProperties(func(p *backend.Properties) {
			p.Complete = backend.Conditions{}
		}),
	} {
		t.Run(name, func(t *testing.T) {
			w := newPartsWorld(t, opt)
			w.put(w.source, "big", large("abcdefg"))
			w.destination.before = func(op, _ string) error {
				if op == "part 11" {
					w.put(w.destination, "big", "somebody else's")
				}
				return nil
			}
			_, err := w.sync()
			require.ErrorIs(t, err, ErrForeignObject)
			require.Equal(t, []string{"big=somebody else's"}, w.contents(w.destination))
			w.requireNoUploads()

			w.destination.before = nil
			w.policy.Foreign = Overwrite
			w.mustSync()
			w.requireEqual()
			w.requireNoUploads()
		})
	}
}

// What is overwritten by leave of the policy takes the parts that are there.
func TestADestinationThatMovedCostsNoPartTwice(t *testing.T) {
	w := newPartsWorld(t)
	w.policy.Foreign = Overwrite
	w.put(w.source, "big", large("abcdefg"))
	w.destination.before = func(op, _ string) error {
		if op == "part 11" {
			w.put(w.destination, "big", "somebody else's")
		}
		return nil
	}
	w.mustSync()
	w.requireEqual()
	w.requireNoUploads()
	calls := uploadCalls(w.destination)
	require.Equal(t, 11, len(slices.DeleteFunc(calls, func(op string) bool { return !strings.HasPrefix(op, "part ") })))
}

func TestAnUploadWhoseObjectIsGoneIsAborted(t *testing.T) {
	w := newPartsWorld(t)
	w.put(w.source, "a", "not empty")
	w.put(w.source, "big", large("abcdefg"))
	w.interrupted(6)
	w.remove(w.source, "big")
	w.restartParts()
	w.mustSync()
	w.requireEqual()
	w.requireNoUploads()
}

func TestAnUploadThatFailsIsKeptForTheNextPass(t *testing.T) {
	w := newPartsWorld(t)
	w.put(w.source, "big", large("abcdefg"))
	w.destination.before = func(op, _ string) error {
		if op == "part 9" {
			w.awaitFirstPart()
			return fs.ErrPermission
		}
		return nil
	}
	_, err := w.sync()
	require.ErrorIs(t, err, ErrObjectsFailed)
	require.ErrorIs(t, err, fs.ErrPermission)
	require.Len(t, w.destination.Uploads(), 1)
	w.destination.before = nil
	uploadCalls(w.destination)
	w.mustSync()
	require.NotContains(t, uploadCalls(w.destination), "part 1")
	w.requireEqual()
	w.requireNoUploads()
}

func TestAnUploadThatTheStoreLostBeginsAnew(t *testing.T) {
	w := newPartsWorld(t)
	w.put(w.source, "big", large("abcdefg"))
	lose := func() {
		for _, id := range w.destination.Uploads() {
			u, err := w.destination.Store.UploadParts(t.Context(), "big", backend.PartsOptions{ID: id})
			require.NoError(t, err)
			require.NoError(t, u.Abort(t.Context()))
		}
	}
	w.interrupted(6)
	lose() // between two passes
	var losses atomic.Int64
	w.destination.before = func(op, _ string) error {
		if op == "part 5" && losses.Add(1) == 1 || op == "complete" && losses.Add(1) == 3 {
			lose() // and amid one, and at its end
		}
		return nil
	}
	w.restartParts()
	w.mustSync()
	w.requireEqual()
	w.requireNoUploads()
}

func TestAPartThatFailsForAWhileIsSentAgainAlone(t *testing.T) {
	w := newPartsWorld(t)
	w.put(w.source, "big", large("abcdefg"))
	var failed atomic.Int64
	w.destination.before = func(op, _ string) error {
		if op == "part 3" && failed.Add(1) <= 2 {
			return backend.ErrUnavailable
		}
		return nil
	}
	w.mustSync()
	w.requireEqual()
	calls := uploadCalls(w.destination)
	require.Equal(t, 13, len(slices.DeleteFunc(calls, func(op string) bool { return !strings.HasPrefix(op, "part ") })))
}

// A connection to the source that breaks amid a range says nothing of the
// object.
func TestABrokenReadingOfAPartIsMadeAgainAlone(t *testing.T) {
	w := newPartsWorld(t)
	w.put(w.source, "big", large("abcdefg"))
	var opened atomic.Int64
	w.source.after = func(op, _ string) error {
		if op == "open" && opened.Add(1) == 5 {
			return fmt.Errorf("%w: %w", backend.ErrUnavailable, io.ErrUnexpectedEOF)
		}
		return nil
	}
	w.mustSync()
	w.requireEqual()
	require.EqualValues(t, 12, opened.Load())
	require.NotContains(t, uploadCalls(w.destination), "abort")
}

func TestTheLimitOfOnePutForcesParts(t *testing.T) {
	w := newPartsWorld(t, memory.WithProperties(func(p *backend.Properties) {
		p.MaxPut, p.Parts = 500, backend.PartLimits{Min: 50, Max: 400, Count: 3}
	}))
	w.put(w.source, "big", strings.Repeat("x", 400))
	w.r.config.partsFrom = 1 << 40
	w.mustSync()
	require.Equal(t, []string{"put"}, uploadCalls(w.destination))

	unlimited := memory.NewBackend()
	w.source.Store = unlimited
	w.put(w.source, "big", strings.Repeat("y", 1200))
	w.mustSync()
	require.Equal(t, []string{"begin", "complete", "part 1", "part 2", "part 3"}, uploadCalls(w.destination))
	w.requireEqual()

	w.put(w.source, "big", strings.Repeat("z", 1201))
	_, err := w.sync()
	require.ErrorIs(t, err, backend.ErrTooLarge)
	require.ErrorContains(t, err, "3 parts of 400 bytes")
	w.requireNoUploads()
}

func TestAStoreThatRefusesPartsGetsObjectsWhole(t *testing.T) {
	w := newPartsWorld(t)
	w.put(w.source, "big", large("abcdefg"))
	w.destination.before = func(op, _ string) error {
		if op == "begin" {
			return errors.ErrUnsupported
		}
		return nil
	}
	w.mustSync()
	w.requireEqual()
	require.Equal(t, []string{"begin", "put"}, uploadCalls(w.destination))
}

// Without its journal nobody would know the upload again.
func TestAnUploadThatCannotBeWrittenDownIsNotBegun(t *testing.T) {
	w := newPartsWorld(t)
	w.put(w.source, "big", large("abcdefg"))
	require.NoError(t, os.MkdirAll(filepath.Join(w.r.config.stateDir, policyDir("p"), journals{}.name("big")), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(w.r.config.stateDir, policyDir("p"), journals{}.name("big"), "in the way"), nil, 0o600))
	_, err := w.sync()
	require.ErrorContains(t, err, "write uploads/")
	require.Empty(t, w.destination.Uploads())
	require.NotContains(t, uploadCalls(w.destination), "part 1")
}

func TestAJournalOfAnotherStoreIsDropped(t *testing.T) {
	w := newPartsWorld(t)
	w.put(w.source, "big", large("abcdefg"))
	w.interrupted(6)
	lost := w.destination.Store
	w.destination.Store = memory.NewBackend()
	w.restartParts()
	w.mustSync()
	w.requireEqual()
	w.requireNoUploads()
	require.Len(t, lost.Uploads(), 1, "nobody can reach it from here")
}
