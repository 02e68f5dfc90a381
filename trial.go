package replication

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/objrepl/replication/backend"
)

// A Trial is a place in a store that nobody else uses, for as long as
// Replicator.Try lends it. Package probe finds out there what a store does.
type Trial struct {
	// Prefix begins every key that may be written; docs/FORMAT.md specifies it.
	// There was nothing under it.
	Prefix     string
	Properties backend.Properties
	// Conditions are those that passes rely on, as the store fares with each, and
	// Weaker the guarantees that it does not give as a destination.
	Conditions []ProbedCondition
	Weaker     []string
	// Removed counts the objects of earlier trials that were cut short. Others
	// are prefixes of trials from another state directory, which may be under way.
	Removed int
	Others  []string

	open func(context.Context) (backend.Backend, error)
}

// A ProbedCondition says how a store fares with one condition.
type ProbedCondition struct {
	Name string // "put if-absent"
	// Answer is "honoured", "ignored", "refused", "none" if the driver cannot send
	// it, or "unknown" if the store could not be asked. What a driver declares
	// for every store of its kind is not asked here.
	Answer string
	Loss   string // what that means for a replication, or empty
}

// Open opens the store anew. The caller closes it before the trial ends.
func (t *Trial) Open(ctx context.Context) (backend.Backend, error) { return t.open(ctx) }

// Try lends f a place under a prefix of a store, a backend as in OpenBackend, and
// removes whatever is there when f returns, also when ctx was cancelled. Before,
// it removes what trials left that were cut short, sees that credentials are
// good for writing, listing, reading and deleting, and asks which conditions the
// store honours; passes use these answers too. Nothing outside of the place is
// written, and nothing deleted but other trials' leftovers.
//
// The error joins that of f and what could not be removed.
func (r *Replicator) Try(ctx context.Context, name string, settings map[string]string, prefix string, f func(context.Context, *Trial) error) (err error) {
	leave, err := r.enter()
	if err != nil {
		return err
	}
	defer leave()
	b, err := r.registry.open(ctx, name, settings)
	if err != nil {
		return err
	}
	e := newEndpoint(b, "destination", name, prefix+newProbeName()+"/")
	e.copyFrom(e)
	defer func() { err = errors.Join(err, b.Close()) }()
	if e.props.Location == "" {
		return fmt.Errorf("backend %q has no location to note under what a trial writes: %w", name, errors.ErrUnsupported)
	}
	journal := &trialJournal{state: probeState{r.state, e.props.Location}}
	unlock, err := journal.state.lockFile(ctx, trialLockName, sweepWait)
	if errors.Is(err, errProbed) {
		return trialLocked(e.props.Location)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()

	t := &Trial{Prefix: e.prefix, Properties: e.props}
	if err := r.clearEarlier(ctx, e, journal, prefix, t); err != nil {
		return err
	}
	others, err := r.otherTrials(ctx, e, prefix)
	if err != nil {
		return err
	}
	if err := journal.begin(e.prefix); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.endTrial(ctx, e, journal)) }()
	now, err := r.checkAccess(ctx, e)
	if err != nil {
		return err
	}
	if err := r.clearOthers(ctx, e, journal, others, now, t); err != nil {
		return err
	}
	if err := r.askForTrial(ctx, e, t); err != nil {
		return err
	}
	t.open = func(ctx context.Context) (backend.Backend, error) {
		b, err := r.registry.open(ctx, name, settings)
		if err != nil {
			return nil, err
		}
		if uploader, ok := backend.As[backend.PartUploader](b); ok {
			b = trialStore{b, uploader, journal}
		}
		return b, nil
	}
	return f(ctx, t)
}

// askForTrial asks the conditions under the trial's prefix.
func (r *Replicator) askForTrial(ctx context.Context, e *endpoint, t *Trial) error {
	c, err := newGuards(e, r.state, r.again, r.config.logger).refresh(ctx)
	if err != nil {
		return fmt.Errorf("ask which conditions are honoured: %w", err)
	}
	for _, a := range e.fares(c) {
		t.Conditions = append(t.Conditions, ProbedCondition{a.name, string(a.answer), a.loss})
	}
	if e.deletesMany() {
		bulk := c.bulk.Match
		if bulk == "" {
			bulk = answerUnknown
		}
		p := ProbedCondition{Name: "bulk delete if-match", Answer: string(bulk)}
		if may, compared := c.deletesMany(); !may {
			p.Loss = "deletions go out one by one"
		} else if !compared {
			p.Loss = "tags are looked at just before, and a change in between is lost"
		}
		t.Conditions = append(t.Conditions, p)
	}
	t.Weaker = e.weaker(c)
	return nil
}

// checkAccess writes, lists, reads and deletes one object, so that credentials
// that lack a permission fail before there is more to remove. The driver's error
// says which operation was refused. It returns what time it is by the store's
// clock, zero where that does not say.
func (r *Replicator) checkAccess(ctx context.Context, e *endpoint) (now time.Time, err error) {
	key := e.key("access")
	call := func(f func() error) error { return r.again.call(ctx, f) }
	if err := call(func() error {
		_, err := e.Put(ctx, key, backend.Bytes(fmt.Appendf(nil, probeText, 0)), backend.PutOptions{})
		return err
	}); err != nil {
		return now, err
	}
	if err := call(func() error {
		o, body, err := e.Open(ctx, key, backend.OpenOptions{})
		if err == nil {
			now, err = o.Modified, body.Close()
		}
		return err
	}); err != nil {
		return now, err
	}
	return now, call(func() error { return e.Delete(ctx, key, backend.DeleteOptions{}) })
}

// trialTime bounds the removal at the end of a trial, which goes on when its
// context was cancelled.
const trialTime = 2 * time.Minute

// trialLocked is ErrLocked of a trial, by the store's location.
type trialLocked string

func (l trialLocked) Error() string {
	return fmt.Sprintf("another process probes the store %s; wait for it to end", string(l))
}

func (l trialLocked) Is(target error) bool { return target == ErrLocked }

// A LeftError says what of a trial could not be removed; the next one tries again.
type LeftError struct {
	Location, Prefix string
	Err              error
}

// Error returns "could not remove all under prefix: cause".
func (e *LeftError) Error() string {
	return fmt.Sprintf("could not remove all under %q of %s: %v", e.Prefix, e.Location, e.Err)
}

// Unwrap returns the cause.
func (e *LeftError) Unwrap() error { return e.Err }

// endTrial removes what is left of the trial, and forgets it.
func (r *Replicator) endTrial(ctx context.Context, e *endpoint, journal *trialJournal) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), trialTime)
	defer cancel()
	if _, err := r.clearTrial(ctx, e.Backend, journal, e.prefix); err != nil {
		return &LeftError{e.props.Location, e.prefix, err}
	}
	return journal.forget(e.prefix)
}
