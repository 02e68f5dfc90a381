package main

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/objrepl/replication"
)

const (
	// redrawEvery is as often as a person can read along.
	redrawEvery = 100 * time.Millisecond
	// quietStart keeps short passes from flashing a bar.
	quietStart = 250 * time.Millisecond
	// longestLine bounds the bar also on wide terminals: most of those that
	// are made narrower then need not reflow it.
	longestLine = 79
)

// A meter shows the progress of passes on a terminal. Observing an event costs
// a few atomic operations; a goroutine of its own draws.
type meter struct {
	console *console
	// named: say which policy a pass is of.
	named   bool
	current atomic.Pointer[passCounters] // nil before the first pass

	stop    chan struct{}
	once    sync.Once
	drawing sync.WaitGroup
}

// startMeter returns a running meter, or one that does nothing where there is
// no terminal, or standard error has the log, or a program reads the output.
func (a *app) startMeter(named bool) *meter {
	m := &meter{console: a.console, named: named}
	if a.console.terminal && a.output == formatTable && !a.verbose {
		m.stop = make(chan struct{})
		m.drawing.Go(m.run)
	}
	return m
}

// options returns how a replicator feeds the meter.
func (m *meter) options() []replication.Option {
	if m.stop == nil {
		return nil
	}
	return []replication.Option{replication.WithObserver(m.observe)}
}

// Stop takes the bar off the screen and waits for the goroutine that draws. It
// may be called more than once.
func (m *meter) Stop() {
	if m.stop == nil {
		return
	}
	m.once.Do(func() { close(m.stop) })
	m.drawing.Wait()
}

func (m *meter) observe(e replication.Event) {
	if e.Type == replication.EventStarted {
		m.current.Store(&passCounters{policy: e.PolicyID, started: time.Now()})
	}
	if c := m.current.Load(); c != nil {
		c.raise(e.Progress)
	}
}

func (m *meter) run() {
	defer m.console.Clear()
	tick := time.NewTicker(redrawEvery)
	defer tick.Stop()
	var pace pace
	for {
		select {
		case <-m.stop:
			return
		case now := <-tick.C:
			c := m.current.Load()
			if c == nil || now.Sub(c.started) < quietStart {
				continue
			}
			v := view{Progress: c.progress()}
			if m.named {
				v.policy = c.policy
			}
			v.rate, v.left = pace.update(c, now, v.Progress)
			m.console.Draw(v.line(min(m.console.width()-1, longestLine)))
		}
	}
}

// passCounters is the Progress of one pass, raised from many goroutines.
type passCounters struct {
	policy  string
	started time.Time

	listingDone                                 atomic.Bool
	listed, planned, plannedBytes               atomic.Int64
	done, doneBytes, unchanged, deleted, failed atomic.Int64
}

func (c *passCounters) raise(p replication.Progress) {
	if p.ListingDone {
		c.listingDone.Store(true)
	}
	raise(&c.listed, p.Listed)
	raise(&c.planned, p.Planned)
	raise(&c.plannedBytes, p.PlannedBytes)
	raise(&c.done, p.Done)
	raise(&c.doneBytes, p.DoneBytes)
	raise(&c.unchanged, p.Unchanged)
	raise(&c.deleted, p.Deleted)
	raise(&c.failed, p.Failed)
}

// raise makes events that overtake each other harmless: within a pass the
// numbers only grow.
func raise(v *atomic.Int64, n int64) {
	for {
		old := v.Load()
		if n <= old || v.CompareAndSwap(old, n) {
			return
		}
	}
}

func (c *passCounters) progress() replication.Progress {
	return replication.Progress{
		Listed:       c.listed.Load(),
		ListingDone:  c.listingDone.Load(),
		Planned:      c.planned.Load(),
		PlannedBytes: c.plannedBytes.Load(),
		Done:         c.done.Load(),
		DoneBytes:    c.doneBytes.Load(),
		Unchanged:    c.unchanged.Load(),
		Deleted:      c.deleted.Load(),
		Failed:       c.failed.Load(),
	}
}
