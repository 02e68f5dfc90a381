package probe

import "errors"

// ErrNotAsDeclared: the store does not do what its driver declares. A replication
// relies on that, so it may go wrong there. A condition that a server may honour
// or not is no such thing: passes ask, and take the weaker way.
var ErrNotAsDeclared = errors.New("the store is not as declared")

// A Result is what a probe found out. Its JSON is stable.
type Result struct {
	Backend  string `json:"backend"`
	Location string `json:"location"`
	// Prefix is the place that was tried, empty again by now.
	Prefix string `json:"prefix"`
	Full   bool   `json:"full"`
	// AsDeclared: no check failed but for conditions that may vary.
	AsDeclared bool `json:"as_declared"`

	Features []Feature `json:"features"`
	// Weaker names the guarantees that the store cannot give as a destination, as
	// Status.Weaker does.
	Weaker []string `json:"weaker"`
	Checks []Check  `json:"checks"`

	Cost Cost `json:"cost"`
	// Estimate is what Options.Begin was told.
	Estimate   Cost  `json:"estimate"`
	DurationMS int64 `json:"duration_ms"`
	// Removed counts the objects of earlier probes that were cut short; Others are
	// prefixes of probes from elsewhere, which may be under way.
	Removed int      `json:"removed,omitempty"`
	Others  []string `json:"others,omitempty"`
	// Left says what could not be removed.
	Left string `json:"left,omitempty"`
}

// A Declaration is what the driver says of a feature.
type Declaration string

const (
	DeclaredYes    Declaration = "yes"
	DeclaredNo     Declaration = "no"
	DeclaredVaries Declaration = "varies" // with the server
)

// A Finding is what the store makes of a feature.
type Finding string

const (
	Honoured    Finding = "honoured"
	Ignored     Finding = "ignored"      // the request goes through whether the condition holds or not
	Refused     Finding = "refused"      // it does not, also where the condition holds
	NotHonoured Finding = "not honoured" // one of both, of a condition that may vary
	Unknown     Finding = "unknown"      // the store could not be asked
	Unavailable Finding = "none"         // the driver has no such operation, or cannot send the condition
	NotAsked    Finding = "not asked"    // nothing was tried
	Broken      Finding = "broken"       // it is declared, and a check failed
)

// A Feature is a line of the table: one thing that a replication relies on.
type Feature struct {
	Name     string      `json:"name"`
	Declared Declaration `json:"declared"`
	Found    Finding     `json:"found"`
	// Detail is a limit, or how many checks were passed.
	Detail string `json:"detail,omitempty"`
	// Meaning says what a replication loses, where it does.
	Meaning string `json:"meaning,omitempty"`
	// Failed names the checks that failed.
	Failed []string `json:"failed,omitempty"`
}

// A Check is one of the conformance suite.
type Check struct {
	Name    string `json:"name"`
	Feature string `json:"feature"`
	// Doc is what the store has to do.
	Doc string `json:"doc"`
	// Status is "pass", "skip", "fail", or "weaker" for the failure of what may vary.
	Status string   `json:"status"`
	Error  string   `json:"error,omitempty"`
	Notes  []string `json:"notes,omitempty"`

	DurationMS int64 `json:"duration_ms"`
}
