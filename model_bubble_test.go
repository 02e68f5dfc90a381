package replication

import (
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// A modelRunner runs plans in a directory.
type modelRunner struct {
	dir    string
	runs   int
	millis *atomic.Int64 // since the beginning, by the clock outside of the bubble
}

func (m *modelRunner) elapsed() time.Duration {
	return time.Duration(m.millis.Load()) * time.Millisecond
}

// bubble runs f where time costs nothing. All runs share one bubble, and
// pooled objects do not leave it: the ledger's library pools decompressors,
// which hold channels, and no channel may be used in two bubbles.
func bubble(t *testing.T, f func(*modelRunner)) {
	base := t.TempDir()
	if info, err := os.Stat("/dev/shm"); err == nil && info.IsDir() {
		if dir, err := os.MkdirTemp("/dev/shm", "model"); err == nil {
			t.Cleanup(func() { os.RemoveAll(dir) })
			base = dir
		}
	}
	var millis atomic.Int64
	began, ticker, done := time.Now(), time.NewTicker(10*time.Millisecond), make(chan struct{})
	var clock sync.WaitGroup
	clock.Go(func() {
		for {
			select {
			case <-ticker.C:
				millis.Store(time.Since(began).Milliseconds())
			case <-done:
				return
			}
		}
	})
	defer clock.Wait()
	defer close(done)
	defer ticker.Stop()
	// Runs allocate much and keep nothing, but in pools, which only collections
	// empty: the limit has them come in time.
	defer debug.SetGCPercent(debug.SetGCPercent(400))
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(512 << 20))
	synctest.Test(t, func(t *testing.T) {
		f(&modelRunner{dir: base, millis: &millis})
		// The first collection moves pooled objects aside, the second frees them.
		runtime.GC()
		runtime.GC()
	})
}
