package replication

import (
	"fmt"
	"io"
	"io/fs"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
)

// once fails the first call of each operation on each key.
func once(side *hooked) {
	var failed sync.Map
	side.before = func(op, key string) error {
		if _, again := failed.LoadOrStore(op+" "+key, true); !again {
			return backend.ErrUnavailable
		}
		return nil
	}
}

// cutReader ends as a connection that breaks does.
type cutReader struct{ io.ReadCloser }

func (cutReader) Read([]byte) (int, error) {
	return 0, fmt.Errorf("%w: %w", backend.ErrUnavailable, io.ErrUnexpectedEOF)
}

func TestABodyThatIsCutIsReadAgainAndNotTakenForAChange(t *testing.T) {
	for _, size := range []int{10, maxBuffered + 1} {
		w := newWorld(t)
		w.put(w.source, "k", strings.Repeat("x", size))
		var cuts atomic.Int64
		until := int64(2)
		w.source.body = func(_ string, r io.ReadCloser) io.ReadCloser {
			if cuts.Add(1) <= until {
				return cutReader{r}
			}
			return r
		}
		require.EqualValues(t, 1, w.mustSync().Synced)
		w.requireEqual()

		w.put(w.source, "k", strings.Repeat("y", size))
		until = 1000
		cuts.Store(0)
		_, err := w.sync()
		require.ErrorIs(t, err, backend.ErrUnavailable)
		require.NotErrorIs(t, err, errSourceChanged)
		require.EqualValues(t, w.r.again.attempts, cuts.Load())
	}
}

func TestAPassingFailureOfASecondLookIsRetried(t *testing.T) {
	w := newWorld(t)
	w.r.again.attempts = 10 // one copy makes several calls, and each fails once
	stamp := "1"
	w.source.stamp = func(string) string { return stamp }
	for i := range 6 {
		w.put(w.source, fmt.Sprint(i), "v")
	}
	w.put(w.destination, "5", "v") // equal, but not written by us
	once(w.source)
	once(w.destination)
	res := w.mustSync()
	require.EqualValues(t, 5, res.Synced)
	require.EqualValues(t, 1, res.Adopted)

	stamp = "2" // every file is to be read again
	once(w.source)
	require.EqualValues(t, 6, w.mustSync().Skipped)

	// An object of ours that the ledger knows by another tag, and that is gone
	// from the source: it is asked whose it is before it is deleted.
	o, err := w.destination.Store.Stat(t.Context(), "0")
	require.NoError(t, err)
	_, err = w.destination.Store.Put(t.Context(), "0", backend.Bytes([]byte("v")), backend.PutOptions{Metadata: *o.Metadata})
	require.NoError(t, err)
	w.remove(w.source, "0")
	once(w.destination)
	require.EqualValues(t, 1, w.mustSync().Deleted)
}

func TestAnObjectThatCannotBeComparedIsNotCalledForeign(t *testing.T) {
	w := newWorld(t)
	w.put(w.source, "k", "v")
	w.put(w.destination, "k", "v")
	for _, side := range []*hooked{w.source, w.destination} {
		side.before = func(op, _ string) error {
			if op == "open" {
				return fs.ErrPermission
			}
			return nil
		}
		_, err := w.sync()
		require.ErrorIs(t, err, fs.ErrPermission)
		require.NotErrorIs(t, err, ErrForeignObject)
		side.before = nil
	}
	require.EqualValues(t, 1, w.mustSync().Adopted)
}

func TestPausesAreBoundedWhateverAStoreAsksFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, c := range []struct{ asked, least, most time.Duration }{
			{0, 2 * time.Second, 11 * time.Second}, // half to one and a half of each pause
			{time.Second, 9 * time.Second, 20 * time.Second},
			{24 * time.Hour, 9 * maxAsked, 9 * maxAsked},
		} {
			started, calls := time.Now(), 0
			err := defaultRetrier.call(t.Context(), func() error {
				calls++
				return &backend.Error{Op: "put", Err: backend.ErrThrottled, RetryAfter: c.asked}
			})
			require.ErrorIs(t, err, backend.ErrThrottled)
			require.Equal(t, defaultRetrier.attempts, calls)
			took := time.Since(started)
			require.True(t, c.least <= took && took <= c.most, "asked for %v, took %v", c.asked, took)
		}
	})
}
