// Package ledger remembers, per key, which source version stands at the
// destination and under which tag, so that a pass can tell new, changed,
// deleted and foreign objects apart from two listings alone.
//
// A ledger is a cache of truth: an entry is written only after the destination
// acknowledged the write, and a lost ledger, or a lost part of one, is rebuilt
// by a pass that looks at the destination's own markers. Old entries are as
// harmless as missing ones: whoever reads an entry compares its destination tag
// with the destination's, and an entry whose tag is still there is still true.
//
// # Form
//
// A ledger is a manifest and a set of immutable Parquet segments in any
// backend. Base segments divide the keys among them, each sorted, none
// overlapping another; delta segments lie over them, the later over the
// earlier, and hold entries that were set and keys whose entries were removed.
// The manifest names them all with their sizes and checksums, and is replaced
// with a conditional write: a commit takes effect whole or not at all, and a
// writer that has lost its place to another can commit nothing any more.
//
// docs/FORMAT.md specifies every byte.
package ledger
