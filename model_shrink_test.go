package replication

import "slices"

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
		func(s *setup) { s.bulk = false },
		func(s *setup) { s.trash = false },
		func(s *setup) { s.chained = false },
		func(s *setup) { s.inStore, s.chained = false, false },
	} {
		q := p
		if simpler(&q.setup); fails(q) {
			p = q
		}
	}
	return p
}
