package replication

import (
	"flag"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

var (
	modelSeed     = flag.Uint64("model.seed", 0, "replay this one seed of TestModel, with its calls")
	modelFirst    = flag.Uint64("model.first", 1, "the first seed of TestModel; the others follow it")
	modelDuration = flag.Duration("model.duration", 60*time.Second, "how long TestModel goes through seeds; 5s with -short")
	mutantBudget  = flag.Int("model.mutants", 5000, "how many seeds a mutation of the engine may survive")
)

// TestModel runs the engine against simulated stores, each seed another policy,
// another world and other faults, and checks at every write and at the end
// what the library promises. A failing seed is made as short as it gets.
//
//	go test -run TestModel -model.seed=17        replays one seed
//	go test -run TestModel -model.duration=8h -model.first=1000000 -timeout=0
func TestModel(t *testing.T) {
	bubble(t, func(m *modelRunner) {
		if *modelSeed != 0 {
			s := m.run(drawPlan(*modelSeed), mutant{})
			t.Logf("%s%s", s.plan, strings.Join(s.trace, "\n"))
			if s.violation != "" {
				m.report(t, s.plan)
			}
			return
		}
		budget := *modelDuration
		if testing.Short() {
			budget = min(budget, 5*time.Second)
		}
		runs := 0
		for seed := *modelFirst; m.elapsed() < budget; seed++ {
			runs++
			if p := drawPlan(seed); m.run(p, mutant{}).violation != "" {
				m.report(t, p)
				break
			}
		}
		t.Logf("%d runs from seed %d, %.0f a second", runs, *modelFirst, float64(runs)/m.elapsed().Seconds())
	})
}

// TestModelCatchesMutants breaks one rule of the engine after the other and
// wants the model to notice.
func TestModelCatchesMutants(t *testing.T) {
	if testing.Short() {
		t.Skip("goes through some thousand runs")
	}
	bubble(t, func(m *modelRunner) {
		for _, broken := range mutants {
			seed := *modelFirst
			last := seed + uint64(*mutantBudget)
			for ; seed < last; seed++ {
				p := drawPlan(seed)
				if broken.with != nil {
					broken.with(&p.setup)
				}
				if s := m.run(p, broken); s.violation != "" && m.run(p, mutant{}).violation == "" {
					t.Logf("%-55s caught after %5d runs: %s", broken.name, seed-*modelFirst+1, s.violation)
					break
				}
			}
			if seed == last {
				t.Errorf("%s: not caught in %d runs", broken.name, *mutantBudget)
			}
		}
	})
}

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
	defer debug.SetGCPercent(debug.SetGCPercent(400)) // runs allocate much and keep nothing
	synctest.Test(t, func(t *testing.T) {
		f(&modelRunner{dir: base, millis: &millis})
		// The first collection moves pooled objects aside, the second frees them.
		runtime.GC()
		runtime.GC()
	})
}

func (m *modelRunner) run(p plan, broken mutant) *simulation {
	m.runs++
	dir := filepath.Join(m.dir, strconv.Itoa(m.runs))
	defer os.RemoveAll(dir)
	s := newSimulation(p, broken, dir)
	s.run()
	return s
}

// report prints a failing plan, made as short as it gets, and its calls.
func (m *modelRunner) report(t *testing.T, p plan) {
	first := m.run(p, mutant{}).violation
	p = m.shrink(p)
	s := m.run(p, mutant{})
	t.Errorf("seed %d: %s\n\nThe shortest plan found breaks: %s\n%s\n%s\n\nReplay with -run TestModel -model.seed=%d",
		p.seed, first, s.violation, p, strings.Join(s.trace, "\n"), p.seed)
}

// shrink leaves out of a plan what it does not need to fail.
func (m *modelRunner) shrink(p plan) plan {
	fails := func(q plan) bool { return m.run(q, mutant{}).violation != "" }
	for size := len(p.events); size > 0; {
		removed := false
		for at := 0; at+size <= len(p.events); {
			q := p
			q.events = slices.Delete(slices.Clone(p.events), at, at+size)
			if fails(q) {
				p, removed = q, true
			} else {
				at += size
			}
		}
		if !removed || size > 1 {
			size /= 2
		}
	}
	for _, simpler := range []func(*setup){
		func(s *setup) { s.workers = 1 },
		func(s *setup) { s.stamps = false },
		func(s *setup) { s.conditions = true },
		func(s *setup) { s.markers = true },
		func(s *setup) { s.deletes = PropagateDeletes },
		func(s *setup) { s.brake = "off" },
		func(s *setup) { s.foreign = Report },
		func(s *setup) { s.drift = Report },
	} {
		q := p
		if simpler(&q.setup); fails(q) {
			p = q
		}
	}
	return p
}
