package probe

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/objrepl/replication"
	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/backendtest"
)

// A Store says which store to probe.
type Store struct {
	Backend  string // a driver, or a backend of the replicator
	Settings map[string]string
	// Prefix is put before that of the probe.
	Prefix string
}

// Options are the terms of a probe. The zero value is a short one.
type Options struct {
	// Full makes also the checks that race, wait, or write thousands of objects.
	Full bool
	// Timeout bounds the probe as a whole, 15 minutes by default, and an hour of a
	// full one. What it has written is removed all the same.
	Timeout time.Duration
	// Begin, unless nil, is told what the probe is about to cost, before anything
	// is asked. An error of it ends the probe.
	Begin func(location string, estimate Cost) error
	// Progress, unless nil, is told of each check once it is done, how many are
	// done, and of how many.
	Progress func(c Check, done, of int)
}

// Run probes a store. The Result has what was found out until then also where
// there is an error: ErrNotAsDeclared if a check failed, and whatever kept the
// probe from being made or from removing what it wrote.
func Run(ctx context.Context, r *replication.Replicator, s Store, opts Options) (Result, error) {
	begun := time.Now()
	result := Result{Backend: s.Backend, Full: opts.Full, Features: []Feature{}, Checks: []Check{}, Weaker: []string{}}
	b, err := r.OpenBackend(ctx, s.Backend, s.Settings)
	if err != nil {
		return result, err
	}
	properties := b.Properties()
	if err := b.Close(); err != nil {
		return result, err
	}
	result.Location = properties.Location
	if result.Estimate, err = rehearse(ctx, properties, opts.Full); err != nil {
		return result, err
	}
	if opts.Begin != nil {
		if err := opts.Begin(result.Location, result.Estimate); err != nil {
			return result, err
		}
	}
	timeout := opts.Timeout
	if timeout == 0 {
		timeout = 15 * time.Minute
		if opts.Full {
			timeout = time.Hour
		}
	}
	bounded, cancel := context.WithTimeoutCause(ctx, timeout, fmt.Errorf("the probe took longer than %v", timeout))
	defer cancel()
	var m meter
	var ran, faults error
	err = r.Try(m.watch(bounded), s.Backend, s.Settings, s.Prefix, func(ctx context.Context, t *replication.Trial) error {
		result.Prefix, result.Removed, result.Others = t.Prefix, t.Removed, t.Others
		result.Weaker = append(result.Weaker, t.Weaker...)
		var report backendtest.Report
		report, ran = runChecks(ctx, t, &m, opts)
		result.Features, result.Checks, faults = judge(t, report)
		if context.Cause(ctx) != nil {
			return context.Cause(ctx)
		}
		if len(report.Results) == 0 {
			return ran // the suite did not begin
		}
		return nil
	})
	result.Cost = m.cost()
	result.DurationMS = time.Since(begun).Milliseconds()
	result.AsDeclared = err == nil && faults == nil
	if err != nil {
		result.Left = leftIn(err)
		return result, withPermission(s.Backend, err)
	}
	return result, faults
}

// runChecks runs the suite.
func runChecks(ctx context.Context, t *replication.Trial, m *meter, opts Options) (backendtest.Report, error) {
	options := suiteOptions(opts.Full)
	options.Prefix = t.Prefix
	done, of := 0, len(options.Only)
	options.Progress = func(r backendtest.Result) {
		done++
		if opts.Progress != nil {
			opts.Progress(checkOf(r), done, of)
		}
	}
	return backendtest.Run(ctx, func(ctx context.Context) (backend.Backend, error) {
		b, err := t.Open(ctx)
		if err != nil {
			return nil, err
		}
		return m.wrap(b), nil
	}, options)
}

// suiteOptions are those of the suite. Objects are large where they go beyond
// what drivers hold in one buffer; a short probe spares the bytes.
func suiteOptions(full bool) backendtest.Options {
	o := backendtest.Options{LargeSize: 1<<20 + 7, Timeout: time.Minute}
	if full {
		o.LargeSize, o.Timeout = 17<<20+7, 3*time.Minute
	}
	for _, c := range backendtest.Checks() {
		if (full || !slices.Contains(heavy, c.Name)) && !slices.Contains(apart, c.Name) {
			o.Only = append(o.Only, c.Name)
		}
	}
	return o
}

func checkOf(r backendtest.Result) Check {
	c := Check{Name: r.Check.Name, Doc: r.Check.Doc, Notes: r.Notes, Status: "pass", DurationMS: r.Elapsed.Milliseconds()}
	if i := featureOf(c.Name); i >= 0 {
		c.Feature = features[i].name
	}
	switch fault := r.Fault(); {
	case fault != nil:
		c.Status, c.Error = "fail", strings.TrimPrefix(fault.Error(), c.Name+": ")
	case r.Skipped != "":
		c.Status, c.Notes = "skip", append(slices.Clone(c.Notes), r.Skipped)
	}
	return c
}

// leftIn returns what an error says of objects that were not removed.
func leftIn(err error) string {
	var left *replication.LeftError
	if errors.As(err, &left) {
		return left.Error()
	}
	return ""
}
