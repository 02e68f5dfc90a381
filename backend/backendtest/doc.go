// Package backendtest checks an implementation of backend.Backend against the
// contract that package backend states. It needs no test binary: [Run] returns
// a report and an error, so that the same checks that a driver passes in its
// tests can be run on a server that nobody has tried yet, against a user's own
// bucket. [Test] runs each check as a subtest.
//
// The suite writes under Options.Prefix and nowhere else (but for the empty
// key, which a driver has to refuse by itself), refuses to begin where that
// prefix is not empty, and removes what it wrote, also after a check that
// failed.
//
// # Deviations
//
// A server may be known to break the contract in a way that a driver cannot
// mend. Such a check is listed in Options.Expect together with the source that
// says so: then its failure does not fail the run, and its success does,
// because the expectation has become stale.
package backendtest
