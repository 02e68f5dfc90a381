package replication

import "time"

// Status is what a replicator remembers of a policy's passes. It survives
// restarts.
type Status struct {
	PolicyID           string
	SourceBackend      string
	DestinationBackend string
	Enabled            bool

	// Totals over all passes.
	TotalObjectsSynced  int64
	TotalObjectsDeleted int64
	TotalBytesSynced    int64
	TotalErrors         int64
	SyncCount           int64
	AverageSyncDuration time.Duration

	// LastSyncTime is when the last pass ended, zero if there was none.
	LastSyncTime time.Time
	// LastResult is what the last pass did, and LastError why it failed as a
	// whole or in part; empty if it did not.
	LastResult SyncResult
	LastError  string
	// DeadLetters counts the objects that passes keep failing at; see
	// Replicator.Failures.
	DeadLetters int
	// Weaker names the guarantees that the stores of the last pass cannot
	// give, one sentence each, as far as they were asked.
	Weaker []string
}
