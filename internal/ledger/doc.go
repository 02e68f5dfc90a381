// Package ledger remembers, per key, which source version stands at the
// destination and under which tag, so that a pass can tell new, changed,
// deleted and foreign objects apart from two listings alone.
//
// A ledger is a cache of truth: an entry is written only after the destination
// acknowledged the write, and a lost ledger is rebuilt by a pass that looks at
// the destination's own markers.
//
// On disk it is one Parquet segment sorted by key. An [Update] collects the
// changes of one pass in runs, each a sorted segment of its own, and Commit
// merges them into the next segment, which then takes the place of the last
// one in one step: a crash leaves either of the two, whole. docs/FORMAT.md
// specifies every column.
package ledger
