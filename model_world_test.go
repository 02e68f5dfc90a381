package replication

import (
	"context"
	"fmt"
	"math"
	"path/filepath"
	"sync"
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
	looks       map[string][]int      // when the pass under test was told the destination's tag of a key
	trashed     map[string]*destinationVersion
	clock       int
	ledgers     map[string][]ledger.Entry // by the bytes of the files

	replicator *Replicator                // of the pass under test, nil after a crash
	known      map[string]map[string]bool // by actor: the keys in its ledger when its pass began
	own        map[string]map[string]bool // those, and the keys of its objects that its ledger lacked
	passBegan  map[string]int
	deleted    []string        // by the pass under test
	audited    map[string]bool // the deletions that it has put on record
	costly     int             // calls of the pass under test that are no listings
	moved      bool            // by anybody else, during the pass under test
	emptyAll   bool            // the source had nothing when it began
	twinUsed   bool
	anyLate    bool
	ledgerGone bool
	intended   map[string]bool // key and bytes that the pass under test was about to copy

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
	journals    map[string][]byte // when the pass was killed

	killedLedger, killedIntents map[string][]byte
	healed                      bool

	tagsRead map[string]backend.Tag // by a mutant

	trace     []string
	violation string
}

func newSimulation(p plan, m mutant, dir string) *simulation {
	s := &simulation{
		plan: p, mutant: m, dir: dir,
		stores: map[string]*memory.Store{}, sources: map[string]map[string]*sourceHistory{},
		destination: map[string]*destinationVersion{}, byTag: map[backend.Tag]*destinationVersion{},
		intended: map[string]bool{},
		trashed:  map[string]*destinationVersion{}, looks: map[string][]int{},
		shown: map[string]int{}, disturbed: map[string]int{}, known: map[string]map[string]bool{}, own: map[string]map[string]bool{}, passBegan: map[string]int{},
		outages: map[string]int{}, ledgers: map[string][]ledger.Entry{}, forbidden: map[string]string{}, tagsRead: map[string]backend.Tag{},
	}
	for _, side := range []string{sideSource, sideOther, sideDestination} {
		s.stores[side] = memory.NewBackend(memory.WithPageSize(modelPage), memory.WithProperties(func(b *backend.Properties) {
			b.Location = "sim:" + side
			if side != sideDestination {
				return
			}
			if !p.setup.conditions {
				b.Put, b.Delete, b.Complete = backend.Conditions{}, backend.Conditions{}, backend.Conditions{}
				b.BulkDelete, b.Copy = backend.Conditions{}, backend.Conditions{}
			}
			if !p.setup.bulk {
				b.MaxBulkDelete = 0
			}
			if !p.setup.copies && !p.setup.inStore {
				b.MaxCopy = 1
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

// open returns a replicator on a state directory, as a new process would.
func (s *simulation) open(state string) *Replicator {
	opts := []Option{WithStateDir(filepath.Join(s.dir, state)), WithDrivers(simDriver{s}), WithAuditLog(simAudit{s, state})}
	if s.plan.setup.parts {
		opts = append(opts, WithPartThreshold(modelPartsFrom), WithPartSize(modelPartSize))
	}
	r, err := New(opts...)
	if err != nil {
		panic(err)
	}
	r.durability = "none"
	r.shards = 1 + int(s.plan.seed%3) // calls are few, and not all to go into splitting
	r.again = retrier{attempts: 3, first: time.Millisecond}
	r.batching = batching{from: 1, heads: 1 + int(s.plan.seed%4), pages: 1 + int(s.plan.seed%3)}
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
	if s.plan.setup.trash {
		p.TrashPrefix = modelTrash
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
	s.noteIntents()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	s.cancel, s.gated, s.stopped, s.killed, s.moved = cancel, true, false, false, false
	s.deleted, s.audited = nil, map[string]bool{}
	clear(s.looks)
	given := opts
	if s.mutant.force {
		given = append(given, ForceDeletes())
	}
	done := make(chan struct{})
	var res SyncResult
	var err error
	go func() {
		defer close(done)
		res, err = s.replicator.Sync(ctx, s.policy(modelPolicy, modelPolicy), given...)
	}()
	s.schedule(modelPolicy, done)
	s.gated, s.cancel = false, nil
	s.hidden = false
	clear(s.forbidden)
	s.tracef("pass ended: synced %d adopted %d deleted %d failed %d unchanged %d: %v", res.Synced, res.Adopted, res.Deleted, res.Failed, res.Skipped, err)
	if s.killed {
		s.afterKill(snapshot)
	}
	if s.stopped {
		s.replicator.Close()
		s.replicator = nil
	}
	var options syncOptions
	for _, opt := range opts {
		opt(&options)
	}
	s.afterPass(res, err, options)
	return res, err
}

func (s *simulation) replicatorOpen() {
	if s.replicator == nil {
		s.replicator = s.open(modelPolicy)
	}
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
			s.runPass(s.plan.options(s.phase)...)
		}
		s.landLate(math.MaxInt) // a store does not take longer than a pass
		s.outages = map[string]int{}
	}
	if s.violation == "" {
		s.heal()
	}
	s.checkTrash()
	return s.violation
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
