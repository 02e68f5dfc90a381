package replication

import (
	"context"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/memory"
)

// A world is a replicator between two stores in memory whose calls a test can
// watch and make fail.
type world struct {
	t           *testing.T
	r           *Replicator
	source      *hooked
	destination *hooked
	policy      Policy
	events      []Event
	patience    time.Duration // with outages; none unless a test sets it
	// wrap, unless nil, puts another backend around the destination.
	wrap func(*hooked) backend.Backend
	// wrapSource is wrap for the source.
	wrapSource func(*hooked) backend.Backend
}

// newWorld makes a world. Pages are small, so that their borders are met.
func newWorld(t *testing.T, opts ...memory.Option) *world {
	opts = append([]memory.Option{memory.WithPageSize(3)}, opts...)
	w := &world{
		t:           t,
		source:      &hooked{Store: memory.NewBackend(opts...)},
		destination: &hooked{Store: memory.NewBackend(opts...)},
		policy: Policy{
			ID: "p", SourceBackend: "test", DestinationBackend: "test", Enabled: true,
			SourceSettings:      map[string]string{"side": "source"},
			DestinationSettings: map[string]string{"side": "destination"},
		},
	}
	w.restart(filepath.Join(t.TempDir(), "state"))
	return w
}

// restart opens a replicator on a state directory, as a new process would.
func (w *world) restart(state string) {
	if w.r != nil {
		require.NoError(w.t, w.r.Close())
	}
	var mu sync.Mutex
	r, err := New(WithStateDir(state), WithDrivers(worldDriver{w}), WithConcurrency(4), WithOutagePatience(w.patience), WithObserver(func(e Event) {
		mu.Lock()
		defer mu.Unlock()
		w.events = append(w.events, e)
	}))
	require.NoError(w.t, err)
	r.durability = "none"
	r.again = retrier{attempts: 3, first: time.Microsecond}
	w.r = r
	w.t.Cleanup(func() { require.NoError(w.t, r.Close()) })
}

// loseLedger does to the ledger what a lost disk would.
func (w *world) loseLedger() {
	require.NoError(w.t, os.RemoveAll(filepath.Join(w.r.config.stateDir, policyDir("p"), ledgerDir)))
}

func (w *world) sync(opts ...SyncOption) (SyncResult, error) {
	return w.r.Sync(w.t.Context(), w.policy, opts...)
}

// mustSync wants a pass without any failure.
func (w *world) mustSync(opts ...SyncOption) SyncResult {
	w.t.Helper()
	res, err := w.sync(opts...)
	require.NoError(w.t, err)
	return res
}

func (w *world) put(h *hooked, key, content string) backend.Tag {
	w.t.Helper()
	o, err := h.Store.Put(w.t.Context(), key, backend.Bytes([]byte(content)), backend.PutOptions{})
	require.NoError(w.t, err)
	return o.Tag
}

func (w *world) remove(h *hooked, key string) {
	w.t.Helper()
	require.NoError(w.t, h.Store.Delete(w.t.Context(), key, backend.DeleteOptions{}))
}

// contents returns all objects of a store as "key=content".
func (w *world) contents(h *hooked) []string {
	w.t.Helper()
	var out []string
	for page, err := range h.Store.List(w.t.Context(), backend.ListOptions{}) {
		require.NoError(w.t, err)
		for _, o := range page {
			_, r, err := h.Store.Open(w.t.Context(), o.Key, backend.OpenOptions{})
			require.NoError(w.t, err)
			data, err := io.ReadAll(r)
			require.NoError(w.t, err)
			require.NoError(w.t, r.Close())
			out = append(out, o.Key+"="+string(data))
		}
	}
	return out
}

// requireEqual wants the destination to hold what the source holds.
func (w *world) requireEqual() {
	w.t.Helper()
	require.Equal(w.t, w.contents(w.source), w.contents(w.destination))
}

// requireQuiet wants a pass to find nothing to do, at the cost of listings.
func (w *world) requireQuiet() {
	w.t.Helper()
	w.source.calls()
	w.destination.calls()
	res := w.mustSync()
	require.Zero(w.t, res.Synced+res.Deleted+res.Adopted)
	require.Equal(w.t, []string{"list"}, slices.Compact(w.source.calls()))
	require.Equal(w.t, []string{"list"}, slices.Compact(w.destination.calls()))
}

type worldDriver struct{ *world }

func (d worldDriver) Name() string { return "test" }
func (d worldDriver) Schema() backend.Schema {
	return backend.Schema{{Name: "side", Required: true, Help: "source or destination"}}
}
func (d worldDriver) Open(_ context.Context, s backend.Settings) (backend.Backend, error) {
	if s["side"] == "source" && d.wrapSource != nil {
		return d.wrapSource(d.source), nil
	}
	if s["side"] == "source" {
		return d.source, nil
	}
	if d.wrap != nil {
		return d.wrap(d.destination), nil
	}
	return d.destination, nil
}

// hooked is a memory store that reports each call to before and after, whose
// errors take the place of the call and of its answer.
type hooked struct {
	*memory.Store
	mu     sync.Mutex
	log    []string
	before func(op, key string) error
	after  func(op, key string) error
	stamp  func(key string) string
	// describe changes what Stat and Open say of an object.
	describe func(*backend.Object)
	body     func(key string, r io.ReadCloser) io.ReadCloser
	// listing is called before a listing begins.
	listing func()
	// putting sees the options of a Put, whose place its error takes.
	putting func(key string, opts backend.PutOptions) error
	// beginning sees the metadata of an upload that is to begin, likewise.
	beginning func(backend.Metadata) error
	open      func(key string, r io.ReadCloser) io.ReadCloser // puts another body in place
	page      func(page []backend.Object) []backend.Object    // puts another page of a listing in place
}

// calls returns the operations since the last time.
func (h *hooked) calls() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := h.log
	h.log = nil
	return out
}

func (h *hooked) note(op, key string) error {
	h.mu.Lock()
	h.log = append(h.log, strings.TrimSpace(op))
	before := h.before
	h.mu.Unlock()
	if before == nil {
		return nil
	}
	return before(op, key)
}

func (h *hooked) done(op, key string, err error) error {
	h.mu.Lock()
	after := h.after
	h.mu.Unlock()
	if err != nil || after == nil {
		return err
	}
	return after(op, key)
}

func (h *hooked) mark(o *backend.Object) {
	if h.stamp != nil {
		o.Stamp = h.stamp(o.Key)
	}
}

func (h *hooked) Stat(ctx context.Context, key string) (backend.Object, error) {
	if err := h.note("stat", key); err != nil {
		return backend.Object{}, err
	}
	o, err := h.Store.Stat(ctx, key)
	h.mark(&o)
	if h.describe != nil {
		h.describe(&o)
	}
	return o, h.done("stat", key, err)
}

func (h *hooked) Open(ctx context.Context, key string, opts backend.OpenOptions) (backend.Object, io.ReadCloser, error) {
	if err := h.note("open", key); err != nil {
		return backend.Object{}, nil, err
	}
	o, r, err := h.Store.Open(ctx, key, opts)
	h.mark(&o)
	if h.describe != nil {
		h.describe(&o)
	}
	if err == nil && h.body != nil {
		r = h.body(key, r)
	}
	if err == nil && h.open != nil {
		r = h.open(key, r)
	}
	return o, r, h.done("open", key, err)
}

func (h *hooked) Put(ctx context.Context, key string, body backend.Body, opts backend.PutOptions) (backend.Object, error) {
	if err := h.note("put", key); err != nil {
		return backend.Object{}, err
	}
	if h.putting != nil {
		if err := h.putting(key, opts); err != nil {
			return backend.Object{}, err
		}
	}
	o, err := h.Store.Put(ctx, key, body, opts)
	return o, h.done("put", key, err)
}

func (h *hooked) Delete(ctx context.Context, key string, opts backend.DeleteOptions) error {
	if err := h.note("delete", key); err != nil {
		return err
	}
	return h.done("delete", key, h.Store.Delete(ctx, key, opts))
}

func (h *hooked) List(ctx context.Context, opts backend.ListOptions) iter.Seq2[[]backend.Object, error] {
	return func(yield func([]backend.Object, error) bool) {
		if h.listing != nil {
			h.listing()
		}
		for page, err := range h.Store.List(ctx, opts) {
			if noted := h.note("list", opts.After); noted != nil {
				yield(nil, noted)
				return
			}
			for i := range page {
				h.mark(&page[i])
			}
			if h.page != nil {
				page = h.page(page)
			}
			if !yield(page, err) {
				return
			}
		}
		if err := h.note("list", opts.After); err != nil {
			yield(nil, err)
		}
	}
}

func (h *hooked) Close() error { return nil }

// firstly is a hook that does f at the first call of an operation.
func firstly(op string, f func()) func(op, key string) error {
	var once sync.Once
	return func(o, _ string) error {
		if o == op {
			once.Do(f)
		}
		return nil
	}
}
