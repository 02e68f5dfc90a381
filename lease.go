package replication

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/objrepl/replication/backend"
)

const (
	leaseName    = "lease.json"
	leaseVersion = 1

	// A holder renews its lease every leaseBeat. One that nobody has renewed
	// for leaseTime, by the observer's own clock, belongs to a process that is
	// gone. The holder itself gives up a beat earlier.
	leaseBeat = 10 * time.Second
	leaseTime = 6 * leaseBeat
)

// A leaseRecord is the lease as it stands in the state backend. It is never
// removed, so that there is always a version to replace on condition.
type leaseRecord struct {
	Version int    `json:"version"`
	Holder  holder `json:"holder"`
	// Term is unguessable and new whenever the lease is taken.
	Term string `json:"term"`
	// Beat grows with every renewal, so that each is another version.
	Beat int64 `json:"beat"`
	// Place names the state directory of the holder, whose lock it has too.
	Place string `json:"place"`
	// Free: the holder has let go.
	Free bool `json:"free,omitempty"`
}

// A lease keeps a policy to one writer among all machines that share its state.
// Times of different machines are never compared: who wants the lease of
// another watches whether it is renewed. Should a holder go on all the same,
// say one that was suspended, then the ledger fences it, and its writes at the
// destination hold only on what it saw there.
//
// The methods are for one goroutine.
type lease struct {
	state  *policyState
	policy string
	record leaseRecord
	tag    backend.Tag
}

// takeLease takes a policy's lease for a holder at a place whose lock the
// caller holds, or fails with a *LockedError. Where the holder seems gone this
// takes up to leaseTime; wait is called once before.
func takeLease(ctx context.Context, state *policyState, policy, place string, wait func(holder)) (*lease, error) {
	l := &lease{state: state, policy: policy}
	seen, tag, err := l.read(ctx)
	if err != nil {
		return nil, err
	}
	// A holder at this place had the lock that the caller has now.
	if tag != "" && !seen.Free && seen.Place != place {
		wait(seen.Holder)
		if seen, tag, err = l.watch(ctx, seen, tag); err != nil {
			return nil, err
		}
	}
	l.tag = tag
	next := leaseRecord{Version: leaseVersion, Holder: thisProcess(), Term: rand.Text(), Beat: seen.Beat + 1, Place: place}
	return l, l.put(ctx, next)
}

// watch returns once the lease is free, or was not renewed for leaseTime.
func (l *lease) watch(ctx context.Context, seen leaseRecord, tag backend.Tag) (leaseRecord, backend.Tag, error) {
	deadline := time.NewTimer(leaseTime)
	defer deadline.Stop()
	look := time.NewTicker(leaseBeat / 4)
	defer look.Stop()
	for {
		last := false
		select {
		case <-ctx.Done():
			return seen, "", context.Cause(ctx)
		case <-deadline.C:
			last = true
		case <-look.C:
		}
		now, nowTag, err := l.read(ctx)
		switch {
		case err != nil:
			return seen, "", err
		case nowTag == "" || now.Free:
			return now, nowTag, nil
		case nowTag != tag:
			return seen, "", l.locked(now.Holder)
		case last:
			return now, nowTag, nil
		}
	}
}

// read returns the lease and its tag; no tag where there is none.
func (l *lease) read(ctx context.Context) (leaseRecord, backend.Tag, error) {
	var r leaseRecord
	data, tag, err := l.state.read(ctx, leaseName)
	if errors.Is(err, fs.ErrNotExist) {
		return r, "", nil
	}
	if err != nil {
		return r, "", err
	}
	if err := json.Unmarshal(data, &r); err != nil {
		return r, "", fmt.Errorf("%s in %s is damaged: %w; remove it if no process runs policy %q", leaseName, l.state.shown, err, l.policy)
	}
	if r.Version > leaseVersion {
		return r, "", fmt.Errorf("%s in %s has version %d; this program knows %d", leaseName, l.state.shown, r.Version, leaseVersion)
	}
	return r, tag, nil
}

// put replaces the version that l knows. An answer that was lost is looked for.
func (l *lease) put(ctx context.Context, next leaseRecord) error {
	for {
		data, err := json.Marshal(next)
		if err != nil {
			return err
		}
		condition := backend.Condition{Match: l.tag}
		if l.tag == "" {
			condition = backend.Condition{Absent: true}
		}
		object, err := l.state.Put(ctx, l.state.prefix+leaseName, backend.Bytes(append(data, '\n')), backend.PutOptions{If: condition})
		if err == nil {
			l.record, l.tag = next, object.Tag
			return nil
		}
		there, tag, readErr := l.read(ctx)
		switch {
		case readErr != nil:
			return errors.Join(l.state.wrap("write", leaseName, err), readErr)
		case tag == l.tag:
			return l.state.wrap("write", leaseName, err)
		case there.Term != next.Term:
			return l.locked(there.Holder)
		case there == next:
			l.record, l.tag = next, tag
			return nil
		}
		// A renewal of ours whose end nobody awaited has landed after all.
		l.tag, next.Beat = tag, there.Beat+1
	}
}

// renew renews the lease until ctx ends, which is no error. It returns early
// where the lease is no longer the caller's, or cannot be known to be.
func (l *lease) renew(ctx context.Context) error {
	beat := time.NewTicker(leaseBeat)
	defer beat.Stop()
	renewed := time.Now()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-beat.C:
		}
		next, began := l.record, time.Now()
		next.Beat++
		bounded, cancel := context.WithDeadline(ctx, renewed.Add(leaseTime-leaseBeat))
		err := l.put(bounded, next)
		cancel()
		switch {
		case err == nil:
			renewed = began
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, ErrLocked):
			return err
		case time.Since(renewed) >= leaseTime-leaseBeat:
			return fmt.Errorf("the lease of policy %q could not be renewed for %v, and another process may have taken over: %w",
				l.policy, leaseTime-leaseBeat, err)
		}
	}
}

// release lets the next holder have the lease at once. One that is lost already
// is none of ours to release.
func (l *lease) release(ctx context.Context) error {
	next := l.record
	next.Beat++
	next.Free = true
	if err := l.put(ctx, next); err != nil && !errors.Is(err, ErrLocked) {
		return err
	}
	return nil
}

func (l *lease) locked(h holder) error {
	return &LockedError{PolicyID: l.policy, Holder: h.String()}
}
