package main

import (
	"time"

	"github.com/objrepl/replication"
)

// paceWindow is what a rate is averaged over: long enough to be steady, short
// enough to follow a store that slows down.
const paceWindow = 5 * time.Second

// objectWeight is what a small object costs beside its bytes, in bytes. With
// it, the bar and the time left follow ten thousand empty objects as well as
// one large one.
const objectWeight = 32 << 10

// pace derives a rate and the time left from samples of one pass. The zero
// pace is ready; it is not safe for concurrent use.
type pace struct {
	of      *passCounters
	samples []sample // oldest first, within paceWindow
}

type sample struct {
	at           time.Time
	bytes, works int64
}

// update takes a sample and returns bytes a second, and how long the rest will
// take: negative while that is not known.
func (p *pace) update(of *passCounters, now time.Time, g replication.Progress) (rate float64, left time.Duration) {
	if of != p.of {
		*p = pace{of: of, samples: []sample{{at: of.started}}}
	}
	done, total := work(g)
	p.samples = append(p.samples, sample{now, g.DoneBytes, done})
	for len(p.samples) > 2 && now.Sub(p.samples[0].at) > paceWindow {
		p.samples = p.samples[1:]
	}
	first := p.samples[0]
	seconds := now.Sub(first.at).Seconds()
	if seconds <= 0 {
		return 0, -1
	}
	rate = float64(g.DoneBytes-first.bytes) / seconds
	speed := float64(done-first.works) / seconds
	if !g.ListingDone || speed <= 0 {
		return rate, -1
	}
	const longest = 1000 * time.Hour
	seconds = min(float64(total-done)/speed, longest.Seconds())
	return rate, time.Duration(max(seconds, 0) * float64(time.Second))
}

// work measures what is done and what is planned in one unit.
func work(g replication.Progress) (done, total int64) {
	return g.DoneBytes + g.Done*objectWeight, g.PlannedBytes + g.Planned*objectWeight
}
