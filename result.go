package replication

import (
	"encoding/json"
	"fmt"
	"time"
)

// maxResultErrors bounds the failures that a result holds; the rest stand in
// the failures file.
const maxResultErrors = 100

// A SyncResult says what one pass did.
type SyncResult struct {
	// PolicyID is "all" in the result of SyncAll, whose numbers are sums.
	PolicyID string
	// Synced counts objects written at the destination, and Adopted those
	// found there already equal, which are not in Synced.
	Synced  int64
	Adopted int64
	// Deleted counts objects deleted at the destination.
	Deleted int64
	// Failed counts objects that could not be brought up to date. Each is in
	// Errors or, past the first 100, in FailuresFile.
	Failed int64
	// Skipped counts what needed nothing: unchanged objects, and special
	// files, which are never replicated. Special counts the latter alone.
	Skipped int64
	Special int64
	// BytesTotal is the size of the objects in Synced.
	BytesTotal int64
	// BytesInStore is how much of that the store copied itself, without a byte
	// passing through this process.
	BytesInStore int64
	Duration     time.Duration
	Errors       []*ObjectError
	// FailuresFile lists every failed object of this pass, one JSON object a
	// line; empty if none failed.
	FailuresFile string
}

// MarshalJSON writes the form that `objstore sync -o json` documents.
func (r SyncResult) MarshalJSON() ([]byte, error) {
	texts := make([]string, len(r.Errors))
	for i, e := range r.Errors {
		texts[i] = e.Error()
	}
	return json.Marshal(struct {
		PolicyID     string   `json:"policy_id"`
		Synced       int64    `json:"synced"`
		Adopted      int64    `json:"adopted"`
		Deleted      int64    `json:"deleted"`
		Failed       int64    `json:"failed"`
		Skipped      int64    `json:"skipped"`
		Special      int64    `json:"special"`
		BytesTotal   int64    `json:"bytes_total"`
		BytesInStore int64    `json:"bytes_in_store"`
		DurationMS   int64    `json:"duration_ms"`
		Errors       []string `json:"errors"`
		FailuresFile string   `json:"failures_file,omitempty"`
	}{
		r.PolicyID, r.Synced, r.Adopted, r.Deleted, r.Failed, r.Skipped, r.Special,
		r.BytesTotal, r.BytesInStore, r.Duration.Milliseconds(), texts, r.FailuresFile,
	})
}

// An ObjectError is the failure of one object of one policy.
type ObjectError struct {
	PolicyID string
	// Key is the object's key at the source.
	Key string
	Err error
}

func (e *ObjectError) Error() string {
	return fmt.Sprintf("policy %q: object %q: %v", e.PolicyID, e.Key, e.Err)
}

// Unwrap returns the cause, which wraps its class (see package backend).
func (e *ObjectError) Unwrap() error { return e.Err }

// add adds another policy's pass to the sums of SyncAll.
func (r *SyncResult) add(o SyncResult) {
	r.Synced += o.Synced
	r.Adopted += o.Adopted
	r.Deleted += o.Deleted
	r.Failed += o.Failed
	r.Skipped += o.Skipped
	r.Special += o.Special
	r.BytesTotal += o.BytesTotal
	r.BytesInStore += o.BytesInStore
	room := max(0, maxResultErrors-len(r.Errors))
	r.Errors = append(r.Errors, o.Errors[:min(room, len(o.Errors))]...)
}
