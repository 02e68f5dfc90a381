package replication

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// A plan is all that happens in one run of the model beside what the engine
// does: the policy, the stores, and a list of events. A seed makes the same
// plan every time, and a plan the same run, so that a failing seed can be
// replayed and its plan be made shorter.
type plan struct {
	seed   uint64
	setup  setup
	events []event
}

// A setup is what stays the same during a run.
type setup struct {
	phases     int  // passes while events happen
	workers    int  // concurrency of a pass
	conditions bool // the destination honours conditions
	stamps     bool // the source is like a file system
	markers    bool // the destination has room for a marker
	large      bool // all bodies are streamed, and read twice
	parts      bool // most objects are copied in parts
	deletes    DeleteMode
	brake      string
	foreign    ConflictMode
	drift      ConflictMode
	bulk       bool // the destination takes many deletions at once
	trash      bool // what is deleted goes to a trash
	copies     bool // the destination copies within itself
	inStore    bool // it copies from the source
	chained    bool // source objects carry markers that another policy of this name wrote
}

// An event happens before a pass begins (call 0) or when that pass makes its
// nth call to a store.
type event struct {
	phase, call int
	kind        eventKind
	key         string
	n           int // means what the kind says
}

type eventKind string

const (
	// At the source. n is the padding: another size.
	sourcePut      eventKind = "source: put"
	sourceSameSize eventKind = "source: put, same size"
	sourceRecreate eventKind = "source: recreate, identical"
	sourceStealth  eventKind = "source: put, same size and tag" // with stamps
	sourceTouch    eventKind = "source: touch"                  // with stamps
	sourceRemove   eventKind = "source: remove"
	sourceWipe     eventKind = "source: remove everything"
	sourceHide     eventKind = "source: d/ cannot be listed" // for one pass

	// At the destination, by somebody else.
	foreignPut     eventKind = "foreign: put"
	foreignEqual   eventKind = "foreign: put what the source has"
	foreignRemove  eventKind = "foreign: remove"
	foreignTamper  eventKind = "foreign: replace, same size"
	foreignBeside  eventKind = "foreign: replace beside the marker"
	foreignRestore eventKind = "foreign: restore our older object" // the nth

	// Other replicators.
	otherPolicy   eventKind = "another policy's pass"
	twinPass      eventKind = "the same policy's pass from another state directory" // n odd: after a put at the source
	secondProcess eventKind = "a second process on the same state directory"
	ledgerLost    eventKind = "the ledger is lost"

	// Faults of the call at hand. n picks the class.
	failBefore eventKind = "fault: fail before"
	failAfter  eventKind = "fault: fail after it was applied"
	failLate   eventKind = "fault: fail, applied n calls later"
	bodyTwice  eventKind = "store: reads the body twice"

	// Faults that last. n is how many calls.
	sourceOutage      eventKind = "fault: source outage"
	destinationOutage eventKind = "fault: destination outage"
	sourceForbid      eventKind = "fault: 403 at the source" // for one pass
	destinationForbid eventKind = "fault: 403 at the destination"

	// The clock of the process. Those of the stores mean nothing at any time.
	clockJump eventKind = "clock: six days pass, n times"

	// The end of the pass. A killed one leaves the ledger of the pass before.
	stopBefore eventKind = "stop: cancelled before the call"
	stopAfter  eventKind = "stop: cancelled after the call was applied"
	killBefore eventKind = "stop: killed before the call"
	killAfter  eventKind = "stop: killed after the call was applied"
)

// frequencies say how often a kind is drawn in comparison to others.
var frequencies = []struct {
	kind   eventKind
	weight int
}{
	{sourcePut, 14}, {sourceSameSize, 8}, {sourceRecreate, 3}, {sourceStealth, 4}, {sourceTouch, 3},
	{sourceRemove, 13}, {sourceWipe, 1}, {sourceHide, 1},
	{foreignPut, 5}, {foreignEqual, 4}, {foreignRemove, 4}, {foreignTamper, 4}, {foreignBeside, 2}, {foreignRestore, 2},
	{otherPolicy, 2}, {twinPass, 5}, {secondProcess, 1}, {ledgerLost, 1},
	{failBefore, 8}, {failAfter, 8}, {failLate, 5}, {bodyTwice, 3},
	{sourceOutage, 1}, {destinationOutage, 1}, {sourceForbid, 2}, {destinationForbid, 2},
	{clockJump, 1},
	{stopBefore, 1}, {stopAfter, 1}, {killBefore, 1}, {killAfter, 1},
}

var modelKeys = []string{"a", "b", "c", "d/1", "d/2", "e"}

// options are those of a phase's pass: in one plan of four every second is a replay.
func (p plan) options(phase int) []SyncOption {
	if p.seed%4 == 0 && phase%2 == 1 {
		return []SyncOption{func(o *syncOptions) { o.replay = true }}
	}
	return nil
}

// largeBody is the n of a put whose body is streamed rather than buffered.
const largeBody = 7

// drawPlan makes the plan of a seed, with some kinds of events ten times as
// often as usual.
func drawPlan(seed uint64, often ...eventKind) plan {
	r := rand.New(rand.NewPCG(seed, 0x6d6f64656c))
	chance := func(percent int) bool { return r.IntN(100) < percent }
	p := plan{seed: seed, setup: setup{
		phases:     1 + r.IntN(4),
		workers:    1,
		conditions: chance(75),
		stamps:     chance(30),
		markers:    chance(90),
		brake:      []string{"off", "50%", "2", "1", "0"}[r.IntN(5)],
	}}
	if chance(30) {
		p.setup.workers = 4
	}
	p.setup.large = chance(6)
	p.setup.parts = !p.setup.large && r.IntN(100) < 25
	if chance(20) {
		p.setup.deletes = KeepDeleted
	}
	if chance(35) {
		p.setup.foreign = Overwrite
	}
	if chance(35) {
		p.setup.drift = Overwrite
	}
	// Where everything happens to few keys, it happens at the same time.
	keys := modelKeys
	if chance(50) {
		at := r.IntN(len(modelKeys) - 1)
		keys = modelKeys[at : at+1+r.IntN(2)]
	}
	calls := 4 + 5*len(keys)
	for _, key := range keys {
		if chance(70) {
			p.events = append(p.events, event{kind: sourcePut, key: key, n: p.setup.size(r.IntN(4))})
		}
	}
	total := 0
	odds := slices.Clone(frequencies)
	for i := range odds {
		if slices.Contains(often, odds[i].kind) {
			odds[i].weight *= 10
		}
		total += odds[i].weight
	}
	for range 3 + r.IntN(30) {
		e := event{phase: r.IntN(p.setup.phases), key: keys[r.IntN(len(keys))], n: r.IntN(largeBody)}
		if chance(60) {
			e.call = 1 + r.IntN(calls)
		}
		if chance(3) {
			e.n = largeBody
		}
		draw := r.IntN(total)
		for _, f := range odds {
			if draw -= f.weight; draw < 0 {
				e.kind = f.kind
				break
			}
		}
		if e.kind == sourcePut {
			e.n = p.setup.size(e.n)
		}
		p.events = append(p.events, e)
	}
	p.sort()
	p.setup.bulk, p.setup.trash, p.setup.copies = chance(60), chance(35), chance(70)
	p.setup.inStore = chance(40)
	p.setup.chained = p.setup.inStore && p.setup.markers && chance(40)
	if p.setup.inStore && chance(70) {
		p.events = alone(p.events)
	}
	return p
}

// size makes the n of a put that of a large body where all are.
func (s *setup) size(n int) int {
	if s.large {
		return largeBody
	}
	return n
}

func (p *plan) sort() {
	slices.SortStableFunc(p.events, func(a, b event) int {
		return cmp.Or(cmp.Compare(a.phase, b.phase), cmp.Compare(a.call, b.call))
	})
}

// at returns the events of one moment.
func (p *plan) at(phase, call int) []event {
	var out []event
	for _, e := range p.events {
		if e.phase == phase && e.call == call {
			out = append(out, e)
		}
	}
	return out
}

// order picks which of the calls that wait is let through next. It hangs on
// the moment alone, so that leaving events out disturbs the rest as little as
// it can.
func (p *plan) order(phase, call, waiting int) int {
	return rand.New(rand.NewPCG(p.seed, uint64(phase)<<32|uint64(call))).IntN(waiting)
}

func (p plan) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "seed %d, %+v\n", p.seed, p.setup)
	for _, e := range p.events {
		fmt.Fprintf(&b, "  phase %d call %d: %s\n", e.phase, e.call, e)
	}
	return b.String()
}

func (e event) String() string { return fmt.Sprintf("%s %s %d", e.kind, e.key, e.n) }
