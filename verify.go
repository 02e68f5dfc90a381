package replication

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/objrepl/replication/backend"
)

// A VerifyOption changes how a verification is made.
type VerifyOption func(*verifyOptions)

type verifyOptions struct {
	readAll, allowExtra bool
	each                []func(Finding) error
}

// ReadAll reads every object at both sides and compares all bytes and the
// metadata that travels. Without it, what the ledger or a marker proves to be
// equal is not read.
func ReadAll() VerifyOption { return func(o *verifyOptions) { o.readAll = true } }

// AllowExtra counts and reports objects that only the destination has, but
// does not take them for differences: for a destination that others use too, or
// a policy that keeps what is deleted.
func AllowExtra() VerifyOption { return func(o *verifyOptions) { o.allowExtra = true } }

// VerifyFindings calls f with every finding, one at a time, in key order within
// each of the key ranges that are listed at the same time. An error of f ends
// the verification.
func VerifyFindings(f func(Finding) error) VerifyOption {
	return func(o *verifyOptions) { o.each = append(o.each, f) }
}

// VerifyReportTo writes every finding to w as one line of JSON; see
// VerifyFindings.
func VerifyReportTo(w io.Writer) VerifyOption {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return VerifyFindings(func(f Finding) error { return enc.Encode(f) })
}

// Verify compares both sides of a policy, as far as its filter lets keys
// through, and changes nothing. It takes no lock: objects that change meanwhile
// may be found different, or not.
//
// Both sides are listed. An object with the same size at both is equal if the
// ledger has the fingerprint of the source's and the tag of the destination's
// version; else, for a file, if its content and metadata have the digest that
// the ledger knows; else if the destination's marker of this policy names the
// source's fingerprint; else if the stores' own checksums agree, or that of one
// with the bytes of the other side, and the metadata does; and else if both
// sides, read, are. Bytes that were tampered with behind such evidence, as in a file whose size and time were put
// back, are found with ReadAll alone.
//
// The error is ErrDifferent where findings were made and ErrObjectsFailed where
// objects were unreadable, both beside a complete result; any other says why
// the verification ended early.
func (r *Replicator) Verify(ctx context.Context, id string, opts ...VerifyOption) (Verification, error) {
	p, err := r.Policy(id)
	if err != nil {
		return Verification{PolicyID: id}, err
	}
	return r.VerifyOf(ctx, p, opts...)
}

// VerifyOf is Verify for a policy that need not be stored.
func (r *Replicator) VerifyOf(ctx context.Context, p Policy, opts ...VerifyOption) (Verification, error) {
	var options verifyOptions
	for _, opt := range opts {
		opt(&options)
	}
	result := Verification{PolicyID: p.ID}
	started := time.Now()
	err := r.read(ctx, p, TaskVerify, syncOptions{}, func(ctx context.Context, c *reading) error {
		return (&verifier{reading: c, options: options, result: &result}).run(ctx)
	})
	result.Duration = time.Since(started)
	return result, err
}

// A verifier makes one verification.
type verifier struct {
	*reading
	options verifyOptions
	result  *Verification
	shards  []*shardFindings // appended to before the shard is visited

	compared, equal, read, special atomic.Int64

	mu sync.Mutex // held while a finding is given away
}

// shardFindings are those of one shard. They are for one goroutine.
type shardFindings struct {
	counts map[FindingKind]int64
	first  []Finding
}

func (v *verifier) run(ctx context.Context) error {
	v.pool = newPool(v.workers)
	defer v.pool.close()
	_, err := v.walk(ctx, func(int) visit {
		s := &shardFindings{counts: map[FindingKind]int64{}}
		v.shards = append(v.shards, s)
		return func(ctx context.Context, d *detector, ahead int) error { return v.shard(ctx, d, ahead, s) }
	})
	r := v.result
	r.Compared, r.Equal, r.Read, r.Special = v.compared.Load(), v.equal.Load(), v.read.Load(), v.special.Load()
	r.BytesRead = v.progress.doneBytes.Load()
	for _, s := range v.shards {
		r.Findings = append(r.Findings, s.first[:min(len(s.first), maxFindings-len(r.Findings))]...)
	}
	for _, kind := range findingKinds {
		n := int64(0)
		for _, s := range v.shards {
			n += s.counts[kind]
		}
		if n > 0 {
			r.Counts = append(r.Counts, FindingCount{kind, n})
		}
	}
	if err != nil {
		return err
	}
	return v.verdict()
}

// verdict makes an error of what was found.
func (v *verifier) verdict() error {
	var errs []error
	different := v.result.Total() - v.result.Count(FindingUnreadable)
	if v.options.allowExtra {
		different -= v.result.Count(FindingExtra) + v.result.Count(FindingForeign)
	}
	if different > 0 {
		errs = append(errs, fmt.Errorf("%w: %d objects", ErrDifferent, different))
	}
	if n := v.result.Count(FindingUnreadable); n > 0 {
		errs = append(errs, fmt.Errorf("%w: %d could not be compared", ErrObjectsFailed, n))
	}
	return errors.Join(errs...)
}

// shard lets the workers compare what the detector comes by.
func (v *verifier) shard(ctx context.Context, d *detector, ahead int, s *shardFindings) error {
	var scanErr error
	decisions := func(yield func(decision) bool) {
		for {
			dec, _, ok, err := d.step()
			if err != nil || !ok {
				scanErr = err
				return
			}
			if !v.settled(d, dec) && !yield(dec) {
				return // the verification was stopped; its context says why
			}
		}
	}
	v.pool.run(ctx, ahead, decisions, func(dec decision) outcome {
		if dec.hasSource && dec.hasDestination {
			v.progress.plan(dec.source.Size)
			defer v.progress.done.Add(1)
		}
		return outcome{finding: v.examine(ctx, dec)}
	}, func(_ decision, out outcome) { v.collect(ctx, s, out.finding) })
	if scanErr != nil {
		return scanErr
	}
	return ctx.Err()
}

// settled counts what needs no worker: what is equal by what is known already,
// and what is not to be compared.
func (v *verifier) settled(d *detector, dec decision) bool {
	switch {
	case dec.hasSource && dec.source.Problem != nil:
		if errors.Is(dec.source.Problem, backend.ErrNotRegular) {
			v.special.Add(1)
			return true
		}
		return false
	case dec.destination.Problem != nil:
		return !dec.hasSource && errors.Is(dec.destination.Problem, backend.ErrNotRegular)
	case dec.hasSource && dec.hasDestination:
		if v.options.readAll || !v.provenByLedger(dec) {
			return false
		}
		v.compared.Add(1)
		v.equal.Add(1)
		return true
	case dec.hasSource:
		// It may well be in a directory that could not be read.
		return within(dec.key, d.destinationGap)
	case dec.hasDestination:
		return within(dec.key, d.sourceGap)
	}
	return true // only the ledger has it
}

// collect counts, reports and keeps a finding.
func (v *verifier) collect(ctx context.Context, s *shardFindings, f *Finding) {
	if f == nil || ctx.Err() != nil {
		return
	}
	s.counts[f.Kind]++
	if len(s.first) < maxFindings {
		s.first = append(s.first, *f)
	}
	event := Event{Type: EventDiffers, Key: f.Key, Size: max(f.SourceSize, 0)}
	if f.Kind == FindingUnreadable {
		event.Type, event.Err = EventFailed, f.Err
		v.progress.failed.Add(1)
	}
	v.emit(event)
	if len(v.options.each) == 0 {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, each := range v.options.each {
		if err := each(*f); err != nil {
			v.stop(fmt.Errorf("report findings: %w", err))
		}
	}
}
