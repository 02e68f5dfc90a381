package backendtest

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// A Report is what a run found, check by check in the order of Checks.
type Report struct {
	Prefix  string
	Seed    uint64
	Results []Result
}

// A Result is the outcome of one check.
type Result struct {
	Check Check
	// Err is nil where the check passed or was skipped. Where Deviation is set
	// it was expected, and is nil only for a stale expectation.
	Err error
	// Leftover says what could not be removed afterwards.
	Leftover error
	// Deviation is the expectation that Options.Expect held for the check.
	Deviation *Deviation
	// Skipped says why the check did not run, or had nothing to check.
	Skipped string
	// Notes are what the check learned that is neither right nor wrong: an odd
	// key that the store refuses, for one.
	Notes   []string
	Elapsed time.Duration
}

// Fault returns what the result counts against the store, naming the check:
// a failure that was not expected, an expectation that did not come true, or
// objects left behind. It is nil where there is nothing.
func (r Result) Fault() error {
	fault := r.Err
	if d := r.Deviation; d != nil {
		fault = nil
		switch {
		case r.Skipped != "":
			fault = fmt.Errorf("stale deviation (%s): the check was skipped: %s", d.Source, r.Skipped)
		case r.Err == nil:
			fault = fmt.Errorf("stale deviation (%s): the check passed", d.Source)
		}
	}
	if fault = errors.Join(fault, r.Leftover); fault != nil {
		return fmt.Errorf("%s: %w", r.Check.Name, fault)
	}
	return nil
}

// Status is "pass", "FAIL", "skip" or, for an expected failure, "deviates".
func (r Result) Status() string {
	switch {
	case r.Fault() != nil:
		return "FAIL"
	case r.Skipped != "":
		return "skip"
	case r.Err != nil:
		return "deviates"
	}
	return "pass"
}

// Err joins the faults of all checks.
func (r Report) Err() error {
	var faults []error
	for _, result := range r.Results {
		faults = append(faults, result.Fault())
	}
	return errors.Join(faults...)
}

// String renders the report as a table for a person, one check a line.
func (r Report) String() string {
	var b strings.Builder
	for _, result := range r.Results {
		fmt.Fprintf(&b, "%-8s  %-32s  %6.2fs", result.Status(), result.Check.Name, result.Elapsed.Seconds())
		for _, remark := range result.remarks() {
			fmt.Fprintf(&b, "  %s", strings.ReplaceAll(remark, "\n", "; "))
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func (r Result) remarks() []string {
	var out []string
	switch fault := r.Fault(); {
	case fault != nil:
		out = append(out, strings.TrimPrefix(fault.Error(), r.Check.Name+": "))
	case r.Skipped != "":
		out = append(out, r.Skipped)
	case r.Err != nil:
		out = append(out, "known: "+r.Deviation.Source)
	}
	return append(out, r.Notes...)
}
