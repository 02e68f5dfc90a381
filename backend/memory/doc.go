// Package memory is the driver that keeps objects in memory: the reference
// implementation of the contract in package backend, and the store that tests
// of everything above it use. It honours every condition atomically, lists in
// byte order, verifies body lengths and holds a version still for its readers.
//
// Stores live inside the [Driver] value that made them and are gone with it.
// Opening the same name twice opens the same objects.
package memory
