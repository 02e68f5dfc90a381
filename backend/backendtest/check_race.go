package backendtest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/objrepl/replication/backend"
)

var raceChecks = []Check{
	{"race-create", "of racing creates one wins, and its bytes are there", checkRaceCreate},
	{"race-replace", "of racing conditional replaces one wins, and its bytes are there", checkRaceReplace},
	{"race-delete", "of racing conditional deletes one wins", checkRaceDelete},
	{"race-counter", "no conditional update is lost", checkRaceCounter},
}

const (
	racers = 8
	rounds = 10
	// maxBeside and maxReads bound what is done beside a check's listings, and
	// beside each of its writes: how fast a store is must not say what a check costs.
	maxBeside = 100
	maxReads  = 3
)

// settle makes a call until the store has decided it: one that is throttled
// changed nothing, and says nothing of the condition.
func settle(ctx context.Context, call func() error) error {
	for wait := 10 * time.Millisecond; ; wait *= 2 {
		err := call()
		if !errors.Is(err, backend.ErrThrottled) || wait > 2*time.Second {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(wait):
		}
	}
}

// winner returns which racer alone succeeded, the others having failed with
// one of the classes.
func winner(what string, errs []error, classes ...error) (int, error) {
	won := -1
	for i, err := range errs {
		if err == nil && won >= 0 {
			return won, ruleAtomic.broken("%s, %d at once: got two winners, want one", what, len(errs))
		}
		if err == nil {
			won = i
			continue
		}
		if err := ruleAtomic.wantError(what+", as a loser", err, classes...); err != nil {
			return won, err
		}
	}
	if won < 0 {
		return won, ruleAtomic.broken("%s, %d at once: got no winner, want one; one of them: %w", what, len(errs), errs[0])
	}
	return won, nil
}

// racePuts writes a key from many goroutines on one condition and checks that
// the one winner's version is there.
func (e *env) racePuts(ctx context.Context, what, key string, opts backend.PutOptions, classes ...error) error {
	bodies := make([][]byte, racers)
	for i := range bodies {
		bodies[i] = e.bytes(5000 + i)
	}
	won := make([]backend.Object, racers)
	i, err := winner(what, race(racers, func(i int) error {
		return settle(ctx, func() (err error) {
			won[i], err = e.Put(ctx, key, backend.Bytes(bodies[i]), opts)
			return err
		})
	}), classes...)
	if err != nil {
		return err
	}
	return e.wantContent(ctx, ruleAtomic, key, bodies[i], won[i].Tag)
}

func checkRaceCreate(ctx context.Context, e *env) error {
	if !e.Properties().Put.IfAbsent {
		return e.skip("the condition is not declared")
	}
	for round := range rounds {
		if err := e.racePuts(ctx, "put if absent", e.key(fmt.Sprintf("dir%d/object", round)), ifAbsent, absentFailing...); err != nil {
			return err
		}
	}
	return nil
}

func checkRaceReplace(ctx context.Context, e *env) error {
	if !e.Properties().Put.IfMatch {
		return e.skip("the condition is not declared")
	}
	key := e.key("object")
	for range rounds {
		o, err := e.put(ctx, key, e.bytes(5000))
		if err != nil {
			return err
		}
		if err := e.racePuts(ctx, "put if match", key, ifMatch(o.Tag), backend.ErrPrecondition); err != nil {
			return err
		}
	}
	return nil
}

func checkRaceDelete(ctx context.Context, e *env) error {
	if !e.Properties().Delete.IfMatch {
		return e.skip("the condition is not declared")
	}
	key := e.key("object")
	for range rounds {
		o, err := e.put(ctx, key, e.bytes(100))
		if err != nil {
			return err
		}
		if _, err := winner("delete if match", race(racers, func(int) error {
			return settle(ctx, func() error { return e.Delete(ctx, key, backend.DeleteOptions{IfMatch: o.Tag}) })
		}), backend.ErrPrecondition, fs.ErrNotExist); err != nil {
			return err
		}
		if err := e.wantAbsent(ctx, ruleAtomic, key); err != nil {
			return err
		}
	}
	return nil
}

// checkRaceCounter has each goroutine read a number and write its successor on
// the condition of what it read, which is how an update is lost if reading and
// tag are not of one version.
func checkRaceCounter(ctx context.Context, e *env) error {
	if !e.Properties().Put.IfMatch {
		return e.skip("the condition is not declared")
	}
	key := e.key("counter")
	if _, err := e.put(ctx, key, []byte("0")); err != nil {
		return err
	}
	const each = 3
	increment := func() error {
		o, data, err := e.mustRead(ctx, key, backend.OpenOptions{})
		if err != nil {
			return err
		}
		var n int
		if _, err := fmt.Sscanf(string(data), "%d", &n); err != nil {
			return ruleWhole.broken("read the counter: got %q, want a number", data)
		}
		_, err = e.Put(ctx, key, backend.Bytes(fmt.Append(nil, n+1)), ifMatch(o.Tag))
		return err
	}
	for _, err := range race(racers, func(int) error {
		for done := 0; done < each; {
			switch err := settle(ctx, increment); {
			case err == nil:
				done++
			case errors.Is(err, backend.ErrPrecondition) && ctx.Err() == nil:
				// Another was faster: read anew.
			default:
				return err
			}
		}
		return nil
	}) {
		if err != nil {
			return err
		}
	}
	_, data, err := e.mustRead(ctx, key, backend.OpenOptions{})
	if err != nil {
		return err
	}
	if want := fmt.Sprint(racers * each); string(data) != want {
		return ruleAtomic.broken("counter after %s successful increments: got %s, want %s", want, data, want)
	}
	return nil
}
