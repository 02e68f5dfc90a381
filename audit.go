package replication

import (
	"context"
	"time"
)

// An AuditLog keeps a record of what was changed. Record is called after the
// fact and may be called from several goroutines at once; a pass whose record
// cannot be kept fails. Records hold no secrets.
type AuditLog interface {
	Record(ctx context.Context, r AuditRecord) error
}

// An AuditAction says what was done.
type AuditAction string

// What is recorded.
const (
	AuditPolicyAdded   AuditAction = "policy_added"
	AuditPolicyUpdated AuditAction = "policy_updated"
	AuditPolicyRemoved AuditAction = "policy_removed"
	AuditPassStarted   AuditAction = "pass_started"
	AuditPassFinished  AuditAction = "pass_finished"
	AuditObjectWritten AuditAction = "object_written"
	AuditObjectDeleted AuditAction = "object_deleted"
)

// An AuditRecord is one line of an audit log.
type AuditRecord struct {
	Time     time.Time   `json:"time"`
	Action   AuditAction `json:"action"`
	PolicyID string      `json:"policy_id"`
	// Key is the key at the destination.
	Key  string `json:"key,omitempty"`
	Size int64  `json:"size,omitempty"`
	// SourceTag and DestinationTag name the versions read and written.
	SourceTag      string `json:"source_tag,omitempty"`
	DestinationTag string `json:"destination_tag,omitempty"`
	// TrashKey is where an object was moved to that was deleted.
	TrashKey string `json:"trash_key,omitempty"`
	// Outcome sums a finished pass up, or says why it failed.
	Outcome string `json:"outcome,omitempty"`
}
