package replication

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/memory"
)

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
