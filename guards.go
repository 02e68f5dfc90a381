package replication

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"sync"
	"time"
)

// guards know which conditions the destination of a pass honours. Where servers
// differ they ask the one at hand, before the first operation that needs to
// know, and keep the answers for later passes of all policies with this store.
//
// A store that cannot be asked fails no pass. It is trusted in nothing then:
// conditions are sent, and looked at just before as well.
type guards struct {
	destination *endpoint
	state       probeState
	again       retrier
	log         *slog.Logger

	mu    sync.Mutex // held while asking; guards the rest
	now   conditions
	asked map[*question]bool // in this pass
}

// A question is what one probe asks.
type question struct {
	of  func(f *probeFile) *answers
	ask func(ctx context.Context, p *conditionProbe, known conditions) (answers, error)
	// unanswered is what is made of a store that cannot be asked.
	unanswered answers
	// takes are the requests of asking a store that honours everything.
	takes Requests
}

var (
	askObjects = &question{
		of:         func(f *probeFile) *answers { return &f.Objects },
		ask:        func(ctx context.Context, p *conditionProbe, _ conditions) (answers, error) { return p.objects(ctx) },
		unanswered: answers{Put: guard{answerUnknown, answerUnknown}, Delete: guard{answerUnknown, answerUnknown}},
		takes:      Requests{Put: 4, Delete: 2},
	}
	askParts = &question{
		of: func(f *probeFile) *answers { return &f.Parts },
		ask: func(ctx context.Context, p *conditionProbe, known conditions) (answers, error) {
			return p.parts(ctx, known.put)
		},
		unanswered: answers{Complete: guard{answerUnknown, answerUnknown}},
		takes:      Requests{Put: 7, Delete: 1},
	}
)

// askBulk is asked only of a store whose single deletions keep to their
// condition: elsewhere tags are looked at before in any case.
var askBulk = &question{
	of: func(f *probeFile) *answers { return &f.Bulk },
	ask: func(ctx context.Context, p *conditionProbe, known conditions) (answers, error) {
		return p.inBulk(ctx, known.put)
	},
	unanswered: answers{Bulk: guard{answerUnknown, answerUnknown}},
	takes:      Requests{Put: 2, Delete: 2},
}

// askCopies is asked of a store that is about to copy within itself.
var askCopies = &question{
	of: func(f *probeFile) *answers { return &f.Copies },
	ask: func(ctx context.Context, p *conditionProbe, known conditions) (answers, error) {
		return p.copies(ctx, known.put)
	},
	unanswered: answers{Copy: guard{answerUnknown, answerUnknown}, From: answerUnknown},
	takes:      Requests{Put: 7, Delete: 2},
}

func newGuards(destination *endpoint, state *os.Root, again retrier, log *slog.Logger) *guards {
	return &guards{
		destination: destination, state: probeState{state, destination.props.Location}, again: again, log: log,
		now: conditionsOf(destination.props), asked: map[*question]bool{},
	}
}

// objects returns how Put and Delete fare.
func (g *guards) objects(ctx context.Context) conditions {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.settle(ctx, askObjects)
	return g.now
}

// parts returns how PartUpload.Complete fares, and the rest.
func (g *guards) parts(ctx context.Context) conditions {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.settle(ctx, askObjects)
	g.settle(ctx, askParts)
	return g.now
}

// copies returns how copies within the store fare, and the rest.
func (g *guards) copies(ctx context.Context) conditions {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.settle(ctx, askObjects)
	g.settle(ctx, askCopies)
	return g.now
}

// mustObjects is objects for whom a store that cannot be asked is of no use.
func (g *guards) mustObjects(ctx context.Context) (conditions, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.destination.props.Varies {
		a, err := g.find(ctx, askObjects, false)
		if err != nil {
			return g.now, err
		}
		g.learn(askObjects, a)
	}
	return g.now, nil
}

// inBulk returns how a BulkDeleter fares, and the rest.
func (g *guards) inBulk(ctx context.Context) conditions {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.settle(ctx, askObjects)
	if g.now.delete.Match == answerHonoured {
		g.settle(ctx, askBulk)
	}
	return g.now
}

// settle finds out what a question is about, once in a pass. A pass that was
// cancelled meanwhile learns nothing, and trusts in nothing.
func (g *guards) settle(ctx context.Context, q *question) {
	if !g.destination.props.Varies || g.asked[q] {
		return
	}
	a, err := g.find(ctx, q, false)
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		g.log.Warn("the destination could not be asked which conditions it honours; what they are about is looked at before each request, until a later pass can ask",
			"store", g.state.location, "error", err)
		a = answers{}
	}
	g.learn(q, a)
}

func (g *guards) learn(q *question, a answers) {
	g.asked[q] = true
	g.now = g.now.with(a).with(q.unanswered)
}

// find returns a store's answers: those that are kept, unless they are to be
// had anew, or else its own.
func (g *guards) find(ctx context.Context, q *question, anew bool) (answers, error) {
	if g.state.location == "" {
		return answers{}, errors.New("the store has no location to keep its answers under")
	}
	f, err := g.state.read()
	if err != nil || !anew && q.of(&f).fresh(time.Now()) {
		return *q.of(&f), err
	}
	unlock, err := g.state.lock(ctx, probeWait)
	if err != nil {
		return answers{}, err
	}
	a, err := g.findLocked(ctx, q, anew)
	return a, errors.Join(err, unlock())
}

func (g *guards) findLocked(ctx context.Context, q *question, anew bool) (answers, error) {
	f, err := g.state.read()
	if err != nil || !anew && q.of(&f).fresh(time.Now()) {
		return *q.of(&f), err // somebody else has asked meanwhile
	}
	p := g.newProbe(&f)
	p.began = func(key, upload string) error {
		f.remember(leftover{Key: key, Upload: upload})
		return g.state.write(f)
	}
	if err := p.began(p.key, ""); err != nil {
		return answers{}, err
	}
	a, err := q.ask(ctx, p, g.now)
	g.clean(ctx, p, &f)
	if p.target != nil {
		g.clean(ctx, p.target, &f)
	}
	if err == nil {
		a.Asked, a.Library = time.Now().UTC(), libraryVersion()
		*q.of(&f) = a
		for _, sentence := range g.destination.weaker(conditions{}.with(a)) {
			g.log.Info("a guarantee is weaker", "store", g.state.location, "weaker", sentence)
		}
	}
	return a, errors.Join(err, g.state.write(f))
}

// refresh asks the destination everything anew, whatever is kept, and keeps the
// answers. Unlike in a pass it is an error if that cannot be done.
func (g *guards) refresh(ctx context.Context) (conditions, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.destination.props.Varies {
		return g.now, nil
	}
	g.now = conditionsOf(g.destination.props)
	for _, q := range []*question{askObjects, askParts, askBulk, askCopies} {
		if q == askParts && !g.destination.takesParts() || q == askBulk && !g.destination.deletesMany() || q == askCopies && !g.destination.copies {
			continue
		}
		a, err := g.find(ctx, q, true)
		if err != nil {
			return g.now, g.destination.wrap(err)
		}
		g.learn(q, a)
	}
	return g.now, nil
}

// remembered returns what is known without asking, and what a pass would have to
// ask before it relies on it. Old answers are better than none.
func (g *guards) remembered() (c conditions, asks map[*question]bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	asks = map[*question]bool{}
	if !g.destination.props.Varies {
		return g.now, asks
	}
	f, err := g.state.read()
	if err != nil {
		g.log.Warn("what the destination said of its conditions cannot be read", "store", g.state.location, "error", err)
	}
	for _, q := range []*question{askObjects, askParts, askBulk, askCopies} {
		asks[q] = !q.of(&f).fresh(time.Now())
	}
	return g.now.with(f.Objects).with(f.Parts).with(f.Bulk).with(f.Copies), asks
}
