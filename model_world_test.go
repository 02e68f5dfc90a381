package replication

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing/synctest"
	"time"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/memory"
	"github.com/objrepl/replication/internal/ledger"
)

// The replicators of a simulation. The twin runs the same policy from another
// state directory.
const (
	modelPolicy = "p"
	otherID     = "q"
	twinActor   = "twin"
)

// A simulation is one run of a plan, in a synctest bubble: every call of the
// pass under test waits until all goroutines wait, and then one of them goes
// on. So a run has one order, whatever the number of workers, and time costs
// nothing.
type simulation struct {
	plan   plan
	mutant mutant
	dir    string // of the states

	stores      map[string]*memory.Store
	sources     map[string]map[string]*sourceHistory
	destination map[string]*destinationVersion
	byTag       map[backend.Tag]*destinationVersion
	written     []*destinationVersion // by the policy and its twin
	shown       map[string]int        // the newest index since the key was last absent
	disturbed   map[string]int        // when somebody else last changed the key at the destination
	clock       int
	ledgers     map[string][]ledger.Entry // by the bytes of the files

	replicator *Replicator                // of the pass under test, nil after a crash
	known      map[string]map[string]bool // by actor: the keys in its ledger when its pass began
	passBegan  map[string]int
	deleted    []string        // by the pass under test
	audited    map[string]bool // the deletions that it has put on record
	costly     int             // calls of the pass under test that are no listings
	moved      bool            // by anybody else, during the pass under test
	emptyAll   bool            // the source had nothing when it began
	twinUsed   bool
	ledgerGone bool
	anyLate    bool

	mu      sync.Mutex // guards waiting, the rest is for who the scheduler let go
	waiting []*waiter

	phase, call int
	gated       bool // the pass under test runs
	stopped     bool
	killed      bool
	cancel      context.CancelFunc
	outages     map[string]int // by side: until which call
	forbidden   map[string]string
	hidden      bool
	late        []lateCall
	healed      bool

	tagsRead map[string]backend.Tag // by a mutant

	trace     []string
	violation string
}

type lateCall struct {
	call int
	name string
	do   func() error
}

// errStopped answers every call after the pass was stopped.
var errStopped = errors.New("the pass was stopped")

// A verdictOf says what becomes of one call.
type verdictOf struct {
	before, after error
	late          int
	twice         bool
	stop          bool // the pass ends with this call
}

type waiter struct {
	h       *simStore
	op, key string
	answer  chan verdictOf
}

func (w *waiter) name() string { return w.h.side + " " + w.op + " " + w.key }

func newSimulation(p plan, m mutant, dir string) *simulation {
	s := &simulation{
		plan: p, mutant: m, dir: dir,
		stores: map[string]*memory.Store{}, sources: map[string]map[string]*sourceHistory{},
		destination: map[string]*destinationVersion{}, byTag: map[backend.Tag]*destinationVersion{},
		shown: map[string]int{}, disturbed: map[string]int{}, known: map[string]map[string]bool{}, passBegan: map[string]int{},
		outages: map[string]int{}, ledgers: map[string][]ledger.Entry{}, forbidden: map[string]string{}, tagsRead: map[string]backend.Tag{},
	}
	for _, side := range []string{sideSource, sideOther, sideDestination} {
		s.stores[side] = memory.NewBackend(memory.WithPageSize(modelPage), memory.WithProperties(func(b *backend.Properties) {
			b.Location = "sim:" + side
			if side != sideDestination {
				return
			}
			if !p.setup.conditions {
				b.Put, b.Delete = backend.Conditions{}, backend.Conditions{}
			}
			if !p.setup.markers {
				b.MaxMetadata = 20
			}
		}))
		s.sources[side] = map[string]*sourceHistory{}
		for _, key := range modelKeys {
			s.sources[side][key] = &sourceHistory{}
		}
	}
	return s
}

// tracef adds a line to what a failure prints.
func (s *simulation) tracef(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trace = append(s.trace, fmt.Sprintf("%d.%d ", s.phase, s.call)+fmt.Sprintf(format, args...))
}

// violated notes the first broken rule and ends the run.
func (s *simulation) violated(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	s.tracef("VIOLATION: %s", text)
	if s.violation == "" {
		s.violation = text
	}
	if s.gated {
		s.stop()
	}
}

// stop makes an end of the pass under test.
func (s *simulation) stop() {
	s.stopped = true
	if s.cancel != nil {
		s.cancel()
	}
}

// gate lets a call wait for its turn.
func (s *simulation) gate(ctx context.Context, h *simStore, op, key string) (verdictOf, error) {
	if err := ctx.Err(); err != nil {
		return verdictOf{}, err
	}
	if h.actor == modelPolicy && s.stopped {
		return verdictOf{}, errStopped
	}
	w := &waiter{h: h, op: op, key: key, answer: make(chan verdictOf, 1)}
	s.mu.Lock()
	s.waiting = append(s.waiting, w)
	s.mu.Unlock()
	select {
	case v := <-w.answer:
		return v, nil
	case <-ctx.Done():
		s.mu.Lock()
		s.waiting = slices.DeleteFunc(s.waiting, func(o *waiter) bool { return o == w })
		s.mu.Unlock()
		return verdictOf{}, ctx.Err()
	}
}

// next takes one waiting call of an actor out, as the plan says.
func (s *simulation) next(actor string) *waiter {
	s.mu.Lock()
	defer s.mu.Unlock()
	var mine []*waiter
	for _, w := range s.waiting {
		if w.h.actor == actor {
			mine = append(mine, w)
		}
	}
	if len(mine) == 0 {
		return nil
	}
	slices.SortFunc(mine, func(a, b *waiter) int { return strings.Compare(a.name(), b.name()) })
	w := mine[s.plan.order(s.phase, s.call+1, len(mine))]
	s.waiting = slices.DeleteFunc(s.waiting, func(o *waiter) bool { return o == w })
	return w
}

// open returns a replicator on a state directory, as a new process would.
func (s *simulation) open(state string) *Replicator {
	r, err := New(WithStateDir(filepath.Join(s.dir, state)), WithDrivers(simDriver{s}), WithAuditLog(simAudit{s, state}))
	if err != nil {
		panic(err)
	}
	r.durability = "none"
	r.again = retrier{attempts: 3, first: time.Millisecond}
	return r
}

func (s *simulation) policy(id, actor string) Policy {
	side := sideSource
	if id == otherID {
		side = sideOther
	}
	p := Policy{
		ID: id, Enabled: true, SourceBackend: "sim", DestinationBackend: "sim",
		SourceSettings:      map[string]string{"side": side, "actor": actor},
		DestinationSettings: map[string]string{"side": sideDestination, "actor": actor},
		Deletes:             s.plan.setup.deletes, MaxDelete: s.plan.setup.brake,
		Foreign: s.plan.setup.foreign, Drift: s.plan.setup.drift,
		Concurrency: s.plan.setup.workers,
	}
	if s.mutant.policy != nil && actor == modelPolicy {
		s.mutant.policy(&p)
	}
	return p
}

// runPass runs the pass under test, call by call, and what the plan has for it.
func (s *simulation) runPass(opts ...SyncOption) (SyncResult, error) {
	s.replicatorOpen()
	s.begin(modelPolicy, modelPolicy, modelPolicy)
	s.emptyAll = s.stores[sideSource].Len() == 0
	snapshot := s.ledgerFiles(modelPolicy, modelPolicy)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	s.cancel, s.gated, s.stopped, s.killed, s.moved = cancel, true, false, false, false
	s.deleted, s.audited = nil, map[string]bool{}
	forced := opts
	if s.mutant.force {
		forced = []SyncOption{ForceDeletes()}
	}
	done := make(chan struct{})
	var res SyncResult
	var err error
	go func() {
		defer close(done)
		res, err = s.replicator.Sync(ctx, s.policy(modelPolicy, modelPolicy), forced...)
	}()
	s.schedule(modelPolicy, done)
	s.gated, s.cancel = false, nil
	s.hidden = false
	clear(s.forbidden)
	s.tracef("pass ended: synced %d adopted %d deleted %d failed %d unchanged %d: %v", res.Synced, res.Adopted, res.Deleted, res.Failed, res.Skipped, err)
	if s.killed {
		s.restoreLedger(modelPolicy, modelPolicy, snapshot)
	}
	if s.stopped {
		s.replicator.Close()
		s.replicator = nil
	}
	s.afterPass(res, err, len(opts) > 0)
	return res, err
}

func (s *simulation) replicatorOpen() {
	if s.replicator == nil {
		s.replicator = s.open(modelPolicy)
	}
}

// stuckAfter is how long, in time that costs nothing, a pass may do nothing.
const stuckAfter = 1000

// schedule lets the calls of an actor's pass through, one at a time, until it
// ends. Everybody else stands still meanwhile; events are for the pass under
// test alone.
func (s *simulation) schedule(actor string, done <-chan struct{}) {
	for idle := 0; ; {
		synctest.Wait()
		select {
		case <-done:
			return
		default:
		}
		w := s.next(actor)
		if w == nil {
			// Nobody waits for us, so somebody waits for time to pass.
			if idle++; idle == stuckAfter {
				s.violated("the pass is stuck")
			}
			if idle > 2*stuckAfter {
				panic("the pass does not end although it was cancelled")
			}
			time.Sleep(time.Second)
			continue
		}
		idle = 0
		if actor != modelPolicy {
			s.clock++
			w.answer <- verdictOf{}
			continue
		}
		s.call++
		s.clock++
		if w.op != "list" {
			s.costly++
		}
		w.answer <- s.judge(w)
	}
}

// judge lets the events of this moment happen and says what becomes of a call.
func (s *simulation) judge(w *waiter) verdictOf {
	var v verdictOf
	s.landLate(s.call)
	if !s.healed {
		for _, e := range s.plan.at(s.phase, s.call) {
			s.tracef("%s", e)
			s.fault(e, w, &v)
			s.happen(e)
		}
	}
	if s.call <= s.outages[w.h.side] {
		v.before = backend.ErrUnavailable
	}
	if w.op != "list" && s.forbidden[w.h.side] == w.key && w.key != "" {
		v.before = fs.ErrPermission
	}
	if s.violation != "" {
		v.before = errStopped
	}
	return v
}

var passing = []error{backend.ErrUnavailable, backend.ErrThrottled, fs.ErrPermission,
	errors.New("something unheard of"), backend.ErrStoreNotFound, backend.ErrChecksum, backend.ErrUnavailable}

// fault does to the call at hand, and those after it, what an event says.
func (s *simulation) fault(e event, w *waiter, v *verdictOf) {
	class := passing[e.n%len(passing)]
	switch e.kind {
	case failBefore:
		v.before = &backend.Error{Op: w.op, Backend: "sim", Key: w.key, Err: class}
	case failAfter:
		if backend.Definite(class) {
			class = backend.ErrUnavailable
		}
		v.after = &backend.Error{Op: w.op, Backend: "sim", Key: w.key, Err: class}
	case failLate:
		if w.op == "put" || w.op == "delete" {
			v.late, s.anyLate = 1+e.n, true
		}
	case bodyTwice:
		v.twice = true
	case sourceOutage:
		s.outages[sideSource] = s.call + 1 + e.n*2
	case destinationOutage:
		s.outages[sideDestination] = s.call + 1 + e.n*2
	case stopBefore, killBefore:
		v.before = errStopped
	case stopAfter, killAfter:
		v.after = errStopped
	}
	switch e.kind {
	case killBefore, killAfter:
		v.stop, s.killed = true, true
	case stopBefore, stopAfter:
		v.stop = true
	}
}

// postpone lets a call take effect a few calls from now.
func (s *simulation) postpone(calls int, name string, do func() error) {
	s.late = append(s.late, lateCall{s.call + calls, name, do})
}

// landLate does the late calls whose moment has come.
func (s *simulation) landLate(call int) {
	var rest []lateCall
	for _, l := range s.late {
		if l.call > call {
			rest = append(rest, l)
			continue
		}
		s.moved = true
		s.tracef("%s: %s", l.name, outcomeText(l.do()))
	}
	s.late = rest
}

// run does the whole plan. What it returns is the rule that was broken, or
// nothing.
func (s *simulation) run() string {
	defer func() {
		if s.replicator != nil {
			s.replicator.Close()
		}
	}()
	for s.phase = 0; s.phase < s.plan.setup.phases && s.violation == ""; s.phase++ {
		s.call = 0
		for _, e := range s.plan.at(s.phase, 0) {
			s.tracef("%s", e)
			s.happen(e)
		}
		if s.violation == "" {
			s.runPass()
		}
		s.landLate(math.MaxInt) // a store does not take longer than a pass
		s.outages = map[string]int{}
	}
	if s.violation == "" {
		s.heal()
	}
	return s.violation
}

// ledgerPath is where the ledger of a policy stands.
func (s *simulation) ledgerPath(state, id string) string {
	return filepath.Join(s.dir, state, policyDir(id), ledgerDir)
}

// ledgerFiles reads the ledger as a crash would leave it.
func (s *simulation) ledgerFiles(state, id string) map[string][]byte {
	files := map[string][]byte{}
	entries, _ := os.ReadDir(s.ledgerPath(state, id)) // none yet
	for _, e := range entries {
		if e.IsDir() {
			continue // what the backend keeps for itself
		}
		data, err := os.ReadFile(filepath.Join(s.ledgerPath(state, id), e.Name()))
		if err != nil {
			panic(err)
		}
		files[e.Name()] = data
	}
	return files
}

func (s *simulation) restoreLedger(state, id string, files map[string][]byte) {
	s.tracef("the ledger is that of the pass before")
	dir := s.ledgerPath(state, id)
	err := os.RemoveAll(dir)
	if err == nil {
		err = os.MkdirAll(dir, 0o700)
	}
	for name, data := range files {
		err = errors.Join(err, os.WriteFile(filepath.Join(dir, name), data, 0o600))
	}
	if err != nil {
		panic(err)
	}
}

// A simAudit counts the deletions that the pass under test puts on record.
type simAudit struct {
	*simulation
	state string
}

// Record implements AuditLog.
func (a simAudit) Record(_ context.Context, r AuditRecord) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if r.Action == AuditObjectDeleted && a.state == modelPolicy {
		a.audited[r.Key] = true
	}
	return nil
}
