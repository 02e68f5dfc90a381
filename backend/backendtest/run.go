package backendtest

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"testing"
	"time"

	"github.com/objrepl/replication/backend"
)

// A Check is one property of the contract.
type Check struct {
	Name string
	// Doc is one line for a person: what the store has to do.
	Doc string

	run func(context.Context, *env) error
}

// checks are in the order in which they run: what later ones rely on first.
var checks = slices.Concat(
	propertyChecks, basicChecks, tagChecks, handleChecks, readChecks, writeChecks, bodyChecks,
	conditionChecks, raceChecks, partChecks, uploadChecks, bulkChecks, copyChecks, acrossChecks, listChecks, longListChecks, metadataChecks, besideChecks, keyChecks,
	cancelChecks, outageChecks,
)

// Checks returns all checks in the order in which they run.
func Checks() []Check { return slices.Clone(checks) }

// Run checks the store that open opens. The error is nil if and only if the
// store keeps the contract, but for the deviations that opts expects; it joins
// the faults of all checks, each beginning with the check's name.
func Run(ctx context.Context, open Opener, opts Options) (Report, error) {
	s, err := newSuite(ctx, open, opts)
	report := Report{Prefix: opts.Prefix, Seed: opts.Seed}
	if err != nil {
		return report, err
	}
	for _, check := range checks {
		if !s.wants(check) {
			continue
		}
		if err := ctx.Err(); err != nil {
			return report, errors.Join(report.Err(), fmt.Errorf("stopped before %s: %w", check.Name, err))
		}
		result := s.check(ctx, check)
		report.Results = append(report.Results, result)
		if s.opts.Progress != nil {
			s.opts.Progress(result)
		}
	}
	return report, report.Err()
}

// Test is Run with each check as a subtest of t.
func Test(t *testing.T, open Opener, opts Options) {
	t.Helper()
	s, err := newSuite(t.Context(), open, opts)
	if err != nil {
		t.Fatal(err)
	}
	for _, check := range checks {
		if !s.wants(check) {
			continue
		}
		t.Run(check.Name, func(t *testing.T) {
			result := s.check(t.Context(), check)
			if s.opts.Progress != nil {
				s.opts.Progress(result)
			}
			for _, note := range result.Notes {
				t.Log(note)
			}
			switch {
			case result.Fault() != nil:
				t.Error(result.Fault())
			case result.Skipped != "":
				t.Skip(result.Skipped)
			case result.Err != nil:
				t.Logf("expected failure (%s): %v", result.Deviation.Source, result.Err)
			}
		})
	}
}

// A suite is one run.
type suite struct {
	open Opener
	opts Options
}

// newSuite refuses to begin where there are objects, since the checks delete
// everything under the prefix.
func newSuite(ctx context.Context, open Opener, opts Options) (*suite, error) {
	opts, err := opts.normal()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, opts.Timeout)
	defer cancel()
	b, err := open(ctx)
	if err != nil {
		return nil, fmt.Errorf("open the store: %w", err)
	}
	defer b.Close()
	for page, err := range b.List(ctx, backend.ListOptions{Prefix: opts.Prefix}) {
		if err != nil {
			return nil, fmt.Errorf("look whether prefix %q is empty: %w", opts.Prefix, err)
		}
		if len(page) > 0 {
			return nil, fmt.Errorf("prefix %q is not empty: there is %q", opts.Prefix, page[0].Key)
		}
	}
	return &suite{open: open, opts: opts}, nil
}

func (s *suite) wants(c Check) bool {
	return len(s.opts.Only) == 0 || slices.Contains(s.opts.Only, c.Name)
}

// check runs one check in a fresh backend and cleans up after it.
func (s *suite) check(ctx context.Context, c Check) (result Result) {
	result.Check = c
	for _, d := range s.opts.Expect {
		if d.Check == c.Name {
			result.Deviation = &d
		}
	}
	if slices.Contains(s.opts.Skip, c.Name) {
		result.Skipped = "as the options say"
		return result
	}
	begin := time.Now()
	defer func() { result.Elapsed = time.Since(begin) }()

	bounded, cancel := context.WithTimeout(ctx, s.opts.Timeout)
	defer cancel()
	inner, err := s.open(bounded)
	if err != nil {
		result.Err = fmt.Errorf("open the store: %w", err)
		return result
	}
	defer inner.Close()

	e := newEnv(s, c, inner)
	result.Err = protect(func() error { return c.run(bounded, e) })
	cancel()
	// What was written has to go even if the caller has lost patience.
	cleaning, stop := context.WithTimeout(context.WithoutCancel(ctx), s.opts.Timeout)
	defer stop()
	result.Leftover = protect(func() error { return e.cleanUp(cleaning) })
	result.Notes = e.notes
	if skip := (skipped{}); errors.As(result.Err, &skip) {
		result.Err, result.Skipped = nil, string(skip.reason)
	}
	return result
}

// protect makes a panic of the backend an error, so that the checks after it
// still run and its objects are still removed.
func protect(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return f()
}

// skipped is the error by which a check says that it has nothing to check.
type skipped struct{ reason string }

func (s skipped) Error() string { return "skipped: " + s.reason }
