package backendtest_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/backendtest"
	"github.com/objrepl/replication/backend/memory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// opener opens a backend that a test made.
func opener(b backend.Backend) backendtest.Opener {
	return func(context.Context) (backend.Backend, error) { return b, nil }
}

// deleteFails is a store in which deleting an absent object fails.
func deleteFails(store backend.Backend) *mutant {
	m := &mutant{Backend: store}
	m.delete = func(ctx context.Context, key string, o backend.DeleteOptions) error {
		if _, err := m.Stat(ctx, key); err != nil {
			return failure("delete", key, backend.ErrUnavailable)
		}
		return m.Backend.Delete(ctx, key, o)
	}
	return m
}

func only(names ...string) backendtest.Options {
	return backendtest.Options{Only: names, LargeSize: 1 << 20, Objects: 100}
}

func TestRunReportsEveryCheckOnce(t *testing.T) {
	var progress []string
	opts := only()
	opts.Prefix = "some/prefix/"
	opts.Progress = func(r backendtest.Result) { progress = append(progress, r.Check.Name) }
	report, err := backendtest.Run(t.Context(), opener(memory.NewBackend()), opts)
	require.NoError(t, err)
	var want, got []string
	for _, c := range backendtest.Checks() {
		assert.NotEmpty(t, c.Doc)
		assert.NotContains(t, want, c.Name)
		want = append(want, c.Name)
	}
	for _, r := range report.Results {
		got = append(got, r.Check.Name)
	}
	assert.Equal(t, want, got)
	assert.Equal(t, want, progress)
	assert.Equal(t, len(want), strings.Count(report.String(), "\n"))
}

func TestRunNamesTheCheckThatFails(t *testing.T) {
	report, err := backendtest.Run(t.Context(), opener(deleteFails(memory.NewBackend())), only("put-get", "delete-absent"))
	require.ErrorIs(t, err, backend.ErrUnavailable)
	assert.Regexp(t, `(?s)^delete-absent: .*got error .* want success .*contract: Backend\.Delete`, err.Error())
	assert.Contains(t, report.String(), "pass      put-get")
	assert.Contains(t, report.String(), "FAIL      delete-absent")
}

func TestExpectedDeviationDoesNotFailTheRun(t *testing.T) {
	opts := only("delete-absent")
	opts.Expect = []backendtest.Deviation{{Check: "delete-absent", Source: "https://example.com/issue/1"}}
	report, err := backendtest.Run(t.Context(), opener(deleteFails(memory.NewBackend())), opts)
	require.NoError(t, err)
	assert.Error(t, report.Results[0].Err)
	assert.Equal(t, "deviates", report.Results[0].Status())
	assert.Contains(t, report.String(), "https://example.com/issue/1")
}

func TestStaleDeviationFailsTheRun(t *testing.T) {
	opts := only("delete-absent", "sweep")
	opts.Expect = []backendtest.Deviation{
		{Check: "delete-absent", Source: "https://example.com/issue/1"},
		{Check: "sweep", Source: "https://example.com/issue/2"},
	}
	_, err := backendtest.Run(t.Context(), opener(memory.NewBackend()), opts)
	assert.ErrorContains(t, err, "delete-absent: stale deviation (https://example.com/issue/1): the check passed")
	assert.ErrorContains(t, err, "sweep: stale deviation (https://example.com/issue/2): the check was skipped")
}

func TestRunRefusesOptionsThatNameNothing(t *testing.T) {
	opts := only("no-such-check")
	opts.Skip = []string{"nor-this"}
	opts.Expect = []backendtest.Deviation{{Check: "nor-that", Source: "x"}, {Check: "delete", Source: " "}}
	opts.Objects = 1
	_, err := backendtest.Run(t.Context(), opener(memory.NewBackend()), opts)
	for _, fault := range []string{"no-such-check", "nor-this", "nor-that", `"delete" has no source`, "Objects"} {
		assert.ErrorContains(t, err, fault)
	}
}

func TestRunRefusesPrefixThatIsNotEmpty(t *testing.T) {
	store := memory.NewBackend()
	_, err := store.Put(t.Context(), "precious/object", backend.Bytes([]byte("x")), backend.PutOptions{})
	require.NoError(t, err)
	for _, prefix := range []string{"", "prec", "precious/"} {
		opts := only()
		opts.Prefix = prefix
		report, err := backendtest.Run(t.Context(), opener(store), opts)
		assert.ErrorContains(t, err, `there is "precious/object"`)
		assert.Empty(t, report.Results)
	}
}

// A broken listing must not lead the clean-up to objects of other people, and
// a check that fails half-way leaves nothing behind.
func TestCleanUpTouchesNothingButItsOwn(t *testing.T) {
	store := memory.NewBackend()
	_, err := store.Put(t.Context(), "other", backend.Bytes([]byte("x")), backend.PutOptions{})
	require.NoError(t, err)
	m := &mutant{Backend: store}
	m.pages(func(page []backend.Object) []backend.Object {
		return append(page, backend.Object{Key: "other", Tag: "1"})
	})
	opts := only()
	opts.Prefix = "p/"
	_, err = backendtest.Run(t.Context(), opener(m), opts)
	require.Error(t, err)
	assert.Equal(t, 1, store.Len())
	_, err = store.Stat(t.Context(), "other")
	assert.NoError(t, err)
}

// What a listing hides is found by the record of what was written.
func TestCleanUpFindsWhatListingHides(t *testing.T) {
	store := memory.NewBackend()
	m := &mutant{Backend: store}
	m.pages(func([]backend.Object) []backend.Object { return nil })
	_, err := backendtest.Run(t.Context(), opener(m), only())
	require.Error(t, err)
	assert.Zero(t, store.Len())
}

func TestLeftoversAreReported(t *testing.T) {
	m := &mutant{Backend: memory.NewBackend()}
	m.delete = func(_ context.Context, key string, _ backend.DeleteOptions) error {
		return failure("delete", key, fs.ErrPermission)
	}
	report, err := backendtest.Run(t.Context(), opener(m), only("put-get"))
	require.ErrorIs(t, err, fs.ErrPermission)
	assert.NoError(t, report.Results[0].Err)
	assert.ErrorContains(t, report.Results[0].Leftover, "left behind")
	assert.Equal(t, "FAIL", report.Results[0].Status())
}

func TestPanicFailsItsCheckAlone(t *testing.T) {
	m := &mutant{Backend: memory.NewBackend()}
	m.stat = func(ctx context.Context, key string) (backend.Object, error) {
		if strings.Contains(key, "put-get") {
			panic("broken")
		}
		return m.Backend.Stat(ctx, key)
	}
	report, err := backendtest.Run(t.Context(), opener(m), only("put-get", "put-empty"))
	assert.ErrorContains(t, err, "put-get: panic: broken")
	assert.Equal(t, "pass", report.Results[1].Status())
}

func TestRunStopsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	opts := only()
	opts.Progress = func(backendtest.Result) { cancel() }
	report, err := backendtest.Run(ctx, opener(memory.NewBackend()), opts)
	require.ErrorIs(t, err, context.Canceled)
	assert.Len(t, report.Results, 1)
}

func TestSkippedCheckSaysWhy(t *testing.T) {
	opts := only("delete")
	opts.Skip = []string{"delete"}
	report, err := backendtest.Run(t.Context(), opener(memory.NewBackend()), opts)
	require.NoError(t, err)
	assert.Equal(t, "skip", report.Results[0].Status())
	assert.Contains(t, report.String(), "as the options say")
}

// outage is a store that answers every call with one error.
func outage(class error) backend.Backend {
	m := &mutant{Backend: memory.NewBackend(), noUploads: class}
	m.stat = func(_ context.Context, key string) (backend.Object, error) {
		return backend.Object{}, failure("stat", key, class)
	}
	m.open = func(_ context.Context, key string, _ backend.OpenOptions) (backend.Object, io.ReadCloser, error) {
		return backend.Object{}, nil, failure("open", key, class)
	}
	m.put = func(_ context.Context, key string, _ backend.Body, _ backend.PutOptions) (backend.Object, error) {
		return backend.Object{}, failure("put", key, class)
	}
	m.delete = func(_ context.Context, key string, _ backend.DeleteOptions) error {
		return failure("delete", key, class)
	}
	m.list = func(context.Context, backend.ListOptions) iter.Seq2[[]backend.Object, error] {
		return func(yield func([]backend.Object, error) bool) { yield(nil, failure("list", "", class)) }
	}
	return m
}

// listsUploads says of whatever is asked that there are none.
type listsUploads struct{ backend.Backend }

func (listsUploads) ListUploads(context.Context, string) ([]backend.Upload, error) { return nil, nil }

func TestOutagesMustNotLookLikeAbsence(t *testing.T) {
	sound := opener(memory.NewBackend())
	for name, c := range map[string]struct {
		missing, unreachable backend.Backend
		faults               []string
	}{
		"told apart": {missing: outage(backend.ErrStoreNotFound), unreachable: outage(backend.ErrUnavailable)},
		"missing looks absent": {
			missing: outage(fs.ErrNotExist), unreachable: outage(backend.ErrUnavailable), faults: []string{"store-missing: "},
		},
		"missing looks empty": {
			missing: memory.NewBackend(), unreachable: outage(backend.ErrUnavailable), faults: []string{"store-missing: ", "list: got success"},
		},
		"missing has no uploads": {
			missing: listsUploads{outage(backend.ErrStoreNotFound)}, unreachable: outage(backend.ErrUnavailable), faults: []string{"store-missing: list uploads: got success"},
		},
		"mixed up": {
			missing: outage(backend.ErrUnavailable), unreachable: outage(backend.ErrStoreNotFound),
			faults: []string{"store-missing: ", "store-unreachable: "},
		},
	} {
		t.Run(name, func(t *testing.T) {
			opts := only("store-missing", "store-unreachable")
			opts.Missing, opts.Unreachable = opener(c.missing), opener(c.unreachable)
			_, err := backendtest.Run(t.Context(), sound, opts)
			if c.faults == nil {
				assert.NoError(t, err)
			}
			for _, fault := range c.faults {
				assert.ErrorContains(t, err, fault)
			}
		})
	}
}

// An opener that fails itself, with the right class, is as good.
func TestOutageAtOpening(t *testing.T) {
	opts := only("store-missing")
	opts.Missing = func(context.Context) (backend.Backend, error) {
		return nil, failure("open", "", backend.ErrStoreNotFound)
	}
	_, err := backendtest.Run(t.Context(), opener(memory.NewBackend()), opts)
	assert.NoError(t, err)
	opts.Missing = func(context.Context) (backend.Backend, error) { return nil, errors.New("no") }
	_, err = backendtest.Run(t.Context(), opener(memory.NewBackend()), opts)
	assert.ErrorContains(t, err, "store-missing: open the store")
}

type sweeper struct {
	backend.Backend
	sweep func(ctx context.Context) (int, error)
}

func (s sweeper) Sweep(ctx context.Context, _ time.Time) (int, error) { return s.sweep(ctx) }

func TestSweepMustRemoveNoObject(t *testing.T) {
	store := memory.NewBackend()
	s := sweeper{Backend: store, sweep: func(context.Context) (int, error) { return 0, nil }}
	_, err := backendtest.Run(t.Context(), opener(s), only("sweep"))
	assert.NoError(t, err)
	s.sweep = func(context.Context) (int, error) { return 1, nil }
	_, err = backendtest.Run(t.Context(), opener(s), only("sweep"))
	assert.ErrorContains(t, err, "sweep: sweep of leftovers from before 1970: got 1 removed")
	s.sweep = func(ctx context.Context) (int, error) {
		return 0, store.Delete(ctx, "sweep/object", backend.DeleteOptions{})
	}
	_, err = backendtest.Run(t.Context(), opener(s), only("sweep"))
	assert.ErrorContains(t, err, "contract: Sweeper")
}
