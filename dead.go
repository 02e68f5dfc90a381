package replication

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"sync"
	"time"
)

// A DeadLetter is an object that could not be brought up to date although it
// was tried again. Every pass tries it once more; Replay does so at once.
type DeadLetter struct {
	// Key is the object's key at the source.
	Key string `json:"key"`
	// Reason is why the last attempt failed.
	Reason string `json:"reason"`
	// Attempts counts the passes that failed at it in a row.
	Attempts int `json:"attempts"`
	// First and Last are when it first and last failed, and NextTry when a
	// background run will try it again: one minute after the first failure,
	// and after each further one twice as long, up to a day.
	First   time.Time `json:"first_failed"`
	Last    time.Time `json:"last_failed"`
	NextTry time.Time `json:"next_try"`
}

const (
	deadName = "dead.jsonl"
	// maxDead bounds the dead letters whose history is kept. Beyond it an
	// object's attempts begin at one in every pass.
	maxDead = 10_000

	firstRetry = time.Minute
	lastRetry  = 24 * time.Hour
)

// deadLetters are those of one policy while a pass changes them. They are safe
// for concurrent use.
type deadLetters struct {
	mu     sync.Mutex
	old    map[string]DeadLetter // of the passes before
	failed map[string]DeadLetter // in this one
	// conflicts are keys that failed in this pass by what somebody else has put
	// there, so that trying again is of no use meanwhile.
	conflicts map[string]bool
	// waiting are keys of old that something is left to be done about.
	waiting map[string]bool
}

// readDead reads the dead letters of a policy.
func readDead(ctx context.Context, state *policyState) (map[string]DeadLetter, error) {
	out := map[string]DeadLetter{}
	data, _, err := state.read(ctx, deadName)
	if errors.Is(err, fs.ErrNotExist) {
		return out, nil
	}
	if err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, 1<<20)
	for n := 1; lines.Scan(); n++ {
		var d DeadLetter
		if err := json.Unmarshal(lines.Bytes(), &d); err != nil {
			return nil, fmt.Errorf("read %s in %s, line %d: %w; remove it to forget how often objects failed", deadName, state.shown, n, err)
		}
		out[d.Key] = d
	}
	return out, lines.Err()
}

// writeDead replaces the dead letters of a policy, if they are not the same as
// before.
func writeDead(ctx context.Context, state *policyState, before, letters map[string]DeadLetter) error {
	switch {
	case maps.Equal(before, letters):
		return nil
	case len(letters) == 0:
		return state.remove(ctx, deadName)
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	for _, key := range slices.Sorted(maps.Keys(letters)) {
		if err := enc.Encode(letters[key]); err != nil {
			return err
		}
	}
	return state.write(ctx, deadName, out.Bytes())
}

// fail notes that an object failed now.
func (l *deadLetters) fail(key string, cause error, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	d, again := l.old[key]
	if !again {
		d = DeadLetter{Key: key, First: now}
	}
	d.Reason, d.Last = cause.Error(), now
	d.Attempts++
	d.NextTry = now.Add(retryAfter(d.Attempts))
	if len(l.failed) < maxDead || again {
		l.failed[key] = d
	}
	if len(l.conflicts) < maxDead && (errors.Is(cause, ErrForeignObject) || errors.Is(cause, ErrDrift)) {
		l.conflicts[key] = true
	}
}

// retryAfter is the pause after so many attempts.
func retryAfter(attempts int) time.Duration {
	return min(firstRetry<<min(attempts-1, 20), lastRetry)
}

// mayGoOn reports whether a later pass may go on with what this one began for an
// object: it failed, and not by a conflict. Where failures are too many to be
// kept, any may have.
func (l *deadLetters) mayGoOn(key string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, failed := l.failed[key]
	return (failed || len(l.failed) >= maxDead) && !l.conflicts[key]
}

// newDeadLetters begins with those of the passes before.
func newDeadLetters(old map[string]DeadLetter) *deadLetters {
	return &deadLetters{old: old, failed: map[string]DeadLetter{}, conflicts: map[string]bool{}, waiting: map[string]bool{}}
}

// settled notes that an object is up to date.
func (l *deadLetters) settled(key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.old, key)
}

// waits notes that what is to be done about an object has not been tried yet. The
// pass may end without it: the brake holds a deletion back, say.
func (l *deadLetters) waits(key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, dead := l.old[key]; dead {
		l.waiting[key] = true
	}
}

// remaining returns the dead letters after the pass. One that saw every object
// knows that those which did not fail again, and wait for nothing, are alive; one
// that was cut short knows it only of those that it settled.
func (l *deadLetters) remaining(complete bool) map[string]DeadLetter {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := map[string]DeadLetter{}
	for key, d := range l.old {
		if !complete || l.waiting[key] {
			out[key] = d
		}
	}
	maps.Copy(out, l.failed)
	return out
}
