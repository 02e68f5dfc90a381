// Package probe finds out what a store really does: it runs the conformance suite
// of package backendtest, and asks which conditions the server honours, against a
// user's own bucket, under a prefix that is thrown away afterwards.
//
// Nothing outside of that prefix is written, read or deleted. It is empty at
// first, and again at the end, also after a failure or when the context was
// cancelled; what could not be removed the error says. A process that is killed
// leaves a note in the state directory, by which the next probe of the same store
// removes the rest. In a versioned bucket the versions stay.
package probe
