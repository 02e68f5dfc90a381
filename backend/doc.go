// Package backend is the contract between the replication engine and the
// stores it copies between.
//
// A [Driver] opens a [Backend] from settings. A Backend is one bucket,
// container or directory: seven methods, context first, streaming, safe for
// concurrent use. What a store can do beyond that is a capability, an optional
// interface of one method that [As] finds; what it promises is declared in
// [Properties]. Package backendtest holds the conformance suite that a driver
// has to pass.
//
// # Versions
//
// A [Tag] is a store's opaque name of one version of an object: an ETag, a
// generation, a file's identity. It is compared with other tags of the same
// object in the same store and with nothing else; it is never read as a hash
// of the content. The same version has the same tag in every answer that
// carries one: List, Stat, Open and Put.
//
// # Errors
//
// Every error that a backend returns wraps one of the classes of this package
// or of [io/fs], where one fits, inside an [*Error] that says which operation
// failed on which key. [fs.ErrNotExist] is a definite answer of the store that
// the object is absent; a store that cannot be reached, refuses access or is
// itself missing never says so. A write that failed has an unknown outcome
// unless [Definite] says otherwise.
package backend
