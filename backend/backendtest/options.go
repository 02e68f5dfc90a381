package backendtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/objrepl/replication/backend"
)

// An Opener opens the store under test. It is called once for each check, and
// each time opens the same store.
type Opener func(ctx context.Context) (backend.Backend, error)

// Options are the terms of one run. The zero value is a full run in an empty
// store.
type Options struct {
	// Prefix begins every key that is written. Nothing may be there yet. Where
	// it is empty the whole store has to be, and is the suite's own for the
	// run: only then are keys tried that begin with "/", "." or "..".
	Prefix string
	// Expect lists the checks that this server is known to fail.
	Expect []Deviation
	// Only, unless empty, names the checks to run.
	Only []string
	// Skip names checks not to run; they are reported as skipped.
	Skip []string
	// Seed makes random choices repeatable; the report shows it.
	Seed uint64
	// Objects is how many objects the check of long listings writes, 2,500 by
	// default: more than two pages of the usual 1,000.
	Objects int
	// LargeSize is the size in bytes of a large object, 9 MiB and 7 bytes by
	// default. It should be beyond what the driver sends in one part.
	LargeSize int64
	// Timeout bounds one check, 2 minutes by default.
	Timeout time.Duration
	// Grace is how long a method may take to end after its context has, 10
	// seconds by default.
	Grace time.Duration

	// Missing, unless nil, opens a store that does not exist, on a server that
	// answers; Unreachable one whose server cannot be reached. Either may fail
	// itself in place of the backend's methods.
	Missing, Unreachable Opener

	// Other, unless nil, opens another store of the same service, from which
	// the store under test can copy. What is under Prefix there is the suite's.
	Other Opener

	// Progress, unless nil, is called with each result as it comes, from the
	// goroutine that called Run.
	Progress func(Result)
}

// A Deviation is a named expectation: this check fails on this server.
type Deviation struct {
	Check string
	// Source is where that is written down: the URL of an issue or of the
	// vendor's documentation, or a place in the server's source. It is
	// required.
	Source string
}

// normal returns the options with defaults filled in, or all that is wrong.
func (o Options) normal() (Options, error) {
	var faults []error
	known := func(field, name string) {
		if !slices.ContainsFunc(checks, func(c Check) bool { return c.Name == name }) {
			faults = append(faults, fmt.Errorf("%s names no check: %q", field, name))
		}
	}
	for _, d := range o.Expect {
		known("Expect", d.Check)
		if strings.TrimSpace(d.Source) == "" {
			faults = append(faults, fmt.Errorf("option Expect: %q has no source", d.Check))
		}
	}
	for _, name := range o.Only {
		known("Only", name)
	}
	for _, name := range o.Skip {
		known("Skip", name)
	}
	setDefault(&o.Objects, 2500)
	setDefault(&o.LargeSize, 9<<20+7)
	setDefault(&o.Timeout, 2*time.Minute)
	setDefault(&o.Grace, 10*time.Second)
	if o.Objects < 10 || o.LargeSize < 1<<10 || o.Timeout < 0 || o.Grace < 0 {
		faults = append(faults, errors.New("option Objects is less than 10, LargeSize less than 1 KiB, or a duration negative"))
	}
	return o, errors.Join(faults...)
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
