package replication

import (
	"context"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/memory"
)

// inTheClear has the destination take what makes an object, and say that it did not
// encrypt it. It returns how often.
func (w *world) inTheClear() (found func() int) {
	var mu sync.Mutex
	n := 0
	w.destination.after = func(op, _ string) error {
		if op != "put" && op != "copy" && op != "complete" {
			return nil
		}
		mu.Lock()
		defer mu.Unlock()
		n++
		return &backend.Error{Op: op, Backend: "test", Err: backend.ErrNotEncrypted}
	}
	return func() int {
		mu.Lock()
		defer mu.Unlock()
		return n
	}
}

// ways are those in which objects are written at a destination.
var ways = map[string]func(t *testing.T, opts ...memory.Option) (w *world, size int){
	"put":   func(t *testing.T, o ...memory.Option) (*world, int) { return newWorld(t, o...), 10 },
	"parts": func(t *testing.T, o ...memory.Option) (*world, int) { return newPartsWorld(t, o...), 1000 },
	"copy":  func(t *testing.T, o ...memory.Option) (*world, int) { return newWithinWorld(t, o...), 10 },
	"copies of parts": func(t *testing.T, o ...memory.Option) (*world, int) {
		w := newWithinWorld(t, append(o, memory.WithProperties(func(p *backend.Properties) { p.MaxCopy = 999 }))...)
		w.smallParts()
		return w, 1000
	},
}

func (w *world) fill(n, size int, version string) {
	for i := range n {
		w.put(w.source, fmt.Sprintf("k%02d", i), strings.Repeat(version, size/len(version)))
	}
}

func TestAStoreThatDoesNotEncryptEndsThePassAndKeepsNothingNewInTheClear(t *testing.T) {
	for way, world := range ways {
		for name, change := range map[string]func(*backend.Properties){"exact": func(*backend.Properties) {}, "looked at before": likeMinIO} {
			t.Run(way+", "+name, func(t *testing.T) {
				w, size := world(t, memory.WithProperties(change))
				w.put(w.destination, "theirs", "1")
				w.fill(40, size, "1")
				found := w.inTheClear()
				res, err := w.sync()
				require.ErrorIs(t, err, backend.ErrNotEncrypted)
				require.ErrorContains(t, err, "the pass was stopped")
				require.NotErrorIs(t, err, ErrObjectsFailed)
				require.Zero(t, res.Synced)
				require.LessOrEqual(t, found(), 5, "one of each worker")
				require.Equal(t, []string{"theirs=1"}, w.contents(w.destination))

				w.destination.after = nil
				require.EqualValues(t, 40, w.mustSync().Synced)
				w.requireQuiet()
				w.requireNoUploads()
			})
		}
	}
}

// The destination would have nothing of the object without it. It is no copy of any
// version for that, and what was adopted stays so.
func TestWhatTookThePlaceOfAVersionStaysInTheClearAndIsWrittenAnew(t *testing.T) {
	for way, world := range ways {
		t.Run(way, func(t *testing.T) {
			w, size := world(t)
			w.put(w.source, "adopted", strings.Repeat("1", size))
			w.put(w.destination, "adopted", strings.Repeat("1", size))
			require.EqualValues(t, 1, w.mustSync().Adopted)
			w.put(w.source, "adopted", strings.Repeat("2", size))
			found := w.inTheClear()
			_, err := w.sync()
			require.ErrorIs(t, err, backend.ErrNotEncrypted)
			require.ErrorContains(t, err, "took the place of another version")
			require.Equal(t, 1, found())
			require.Equal(t, []string{"adopted=" + strings.Repeat("2", size)}, w.contents(w.destination))
			require.Empty(t, w.destination.Uploads())

			w.destination.after = nil
			require.EqualValues(t, 1, w.mustSync().Synced, "it is written anew")
			w.requireQuiet()
			w.remove(w.source, "adopted")
			require.Zero(t, w.mustSync(ForceDeletes()).Deleted)
		})
	}
}

// All workers find out at once, and the first of them stops the pass.
func TestWhatSeveralWorkersHaveReplacedInTheClearIsWrittenAnew(t *testing.T) {
	w := newWorld(t)
	w.fill(4, 10, "1")
	w.mustSync()
	w.fill(4, 10, "2")
	w.inTheClear()
	said := w.destination.after
	var all sync.WaitGroup
	all.Add(4)
	stopped := make(chan struct{})
	w.r.config.observer = func(e Event) {
		if e.Type == EventFailed {
			close(stopped)
		}
	}
	w.destination.after = func(op, key string) error {
		if op != "put" {
			return nil
		}
		all.Done()
		all.Wait()
		if key != "k00" {
			<-stopped
		}
		return said(op, key)
	}
	_, err := w.sync()
	require.ErrorIs(t, err, backend.ErrNotEncrypted)
	w.destination.after = nil
	require.EqualValues(t, 4, w.mustSync().Synced)
	w.requireQuiet()
}

func TestWhatSomebodyElsePutsInThePlaceOfAnObjectInTheClearStays(t *testing.T) {
	for name, change := range map[string]func(*backend.Properties){"exact": func(*backend.Properties) {}, "looked at before": likeMinIO} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, memory.WithProperties(change))
			w.put(w.source, "k", "1")
			w.inTheClear()
			said := w.destination.after
			w.destination.after = func(op, key string) error {
				if op == "put" {
					w.put(w.destination, key, "theirs")
				}
				return said(op, key)
			}
			_, err := w.sync()
			require.ErrorIs(t, err, backend.ErrNotEncrypted)
			require.Equal(t, []string{"k=theirs"}, w.contents(w.destination))
			w.destination.after = nil
			_, err = w.sync()
			require.ErrorIs(t, err, ErrForeignObject)
			require.Equal(t, []string{"k=theirs"}, w.contents(w.destination))
		})
	}
}

func TestWhatCannotBeRemovedIsKnownToLieInTheClear(t *testing.T) {
	w := newWithinWorld(t)
	w.put(w.source, "k", "1")
	w.inTheClear()
	w.destination.before = func(op, _ string) error {
		if op == "delete" {
			return &backend.Error{Op: op, Backend: "test", Err: fs.ErrPermission}
		}
		return nil
	}
	_, err := w.sync()
	require.ErrorIs(t, err, backend.ErrNotEncrypted)
	require.ErrorContains(t, err, "could not be removed")
	require.Equal(t, []string{"k=1"}, w.contents(w.destination))
	w.destination.before, w.destination.after = nil, nil
	res := w.mustSync()
	require.EqualValues(t, 1, res.Synced)
	require.Zero(t, res.Adopted)
	w.requireQuiet()
}

// clearTrash is a destination that copies within itself, and does not encrypt.
type clearTrash struct{ *hooked }

func (c clearTrash) Copy(ctx context.Context, from, to string, opts backend.CopyOptions) (backend.Object, error) {
	o, err := c.hooked.Copy(ctx, from, to, opts)
	return o, c.done("copy", to, err)
}

func TestNothingStaysInTheTrashInTheClear(t *testing.T) {
	for name, change := range map[string]func(*backend.Properties){
		"copied": func(*backend.Properties) {}, "singly": func(p *backend.Properties) { p.MaxBulkDelete = 0 },
		"put": func(p *backend.Properties) { p.MaxCopy = 1 }, "parts": func(p *backend.Properties) { p.MaxCopy, p.MaxPut = 1, 5 },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.destination.Store = memory.NewBackend(memory.WithProperties(change))
			w.policy.TrashPrefix, w.policy.MaxDelete = ".trash/", "off"
			w.fill(20, 10, "1")
			w.put(w.source, "stays", "1")
			w.mustSync()
			for i := range 20 {
				w.remove(w.source, fmt.Sprintf("k%02d", i))
			}
			w.wrap = func(h *hooked) backend.Backend { return clearTrash{h} }
			before := w.contents(w.destination)
			found := w.inTheClear()
			_, err := w.sync()
			require.ErrorIs(t, err, backend.ErrNotEncrypted)
			require.ErrorContains(t, err, "the pass was stopped")
			require.Positive(t, found())
			require.Equal(t, before, w.contents(w.destination))
			require.Empty(t, w.destination.Uploads())
			w.destination.after = nil
			require.EqualValues(t, 20, w.mustSync().Deleted)
		})
	}
}

func TestAProbeInTheClearIsRemoved(t *testing.T) {
	w, _ := newServerWorld(t)
	w.put(w.source, "k", "1")
	w.inTheClear()
	_, err := w.sync()
	require.ErrorIs(t, err, backend.ErrNotEncrypted)
	require.Empty(t, w.contents(w.destination))
	w.requireNoProbe()
}
