package replication

import (
	"encoding/json"
	"time"
)

// maxFindings bounds the findings that a Verification holds; VerifyFindings
// and VerifyReportTo get all of them.
const maxFindings = 100

// A Verification says how far both sides of a policy are the same.
type Verification struct {
	PolicyID string
	// Compared counts the objects that both sides have and that could be
	// compared, and Equal those of them that are the same.
	Compared int64
	Equal    int64
	// Read counts the objects whose content was read for it, at one side or
	// both, and BytesRead what was read of them, once where it was both. Of the
	// others the ledger, their marker or checksums say that they are equal.
	Read      int64
	BytesRead int64
	// Special counts special files at the source, which are never replicated.
	Special int64
	// Counts has one element for each kind of finding that was met, in a fixed
	// order, and Findings the first 100 findings in key order.
	Counts   []FindingCount
	Findings []Finding
	Duration time.Duration
}

// Count returns the number of findings of a kind.
func (v Verification) Count(k FindingKind) int64 {
	for _, c := range v.Counts {
		if c.Kind == k {
			return c.Objects
		}
	}
	return 0
}

// Total returns the number of findings of all kinds.
func (v Verification) Total() (n int64) {
	for _, c := range v.Counts {
		n += c.Objects
	}
	return n
}

// A FindingKind is what is wrong with an object.
type FindingKind string

// The kinds of findings, in the order in which a Verification has them.
const (
	// FindingMissing: the destination does not have it.
	FindingMissing FindingKind = "missing"
	// FindingSize: the sizes differ.
	FindingSize FindingKind = "size"
	// FindingContent: the content differs.
	FindingContent FindingKind = "content"
	// FindingMetadata: the content is the same, the metadata differs.
	FindingMetadata FindingKind = "metadata"
	// FindingUnreadable: one side cannot offer it, so that nothing is known. A
	// directory that cannot be read is one such object, whatever is in it.
	FindingUnreadable FindingKind = "unreadable"
	// FindingExtra: the destination has an object of this policy, by its
	// ledger, that the source does not have.
	FindingExtra FindingKind = "extra"
	// FindingForeign: the destination has an object that the source does not
	// have and that this policy did not write, as far as its ledger knows.
	FindingForeign FindingKind = "foreign"
)

var findingKinds = []FindingKind{
	FindingMissing, FindingSize, FindingContent, FindingMetadata, FindingUnreadable, FindingExtra, FindingForeign,
}

// A FindingCount is how many objects a kind of finding was made of.
type FindingCount struct {
	Kind    FindingKind `json:"kind"`
	Objects int64       `json:"objects"`
}

// A Finding is one object that is not the same at both sides, or of which that
// is not known.
type Finding struct {
	Kind FindingKind
	// Key is the object's key at the source, also where only the destination
	// has it.
	Key string
	// SourceSize and DestinationSize are -1 where a side does not have it.
	SourceSize      int64
	DestinationSize int64
	// Detail says in words what differs, or why it is not known.
	Detail string
	// Err is why the object is unreadable; nil for every other kind.
	Err error
}

// MarshalJSON writes one line of the report that docs/FORMAT.md specifies.
func (f Finding) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Kind            FindingKind `json:"kind"`
		Key             string      `json:"key"`
		SourceSize      *int64      `json:"source_size"`
		DestinationSize *int64      `json:"destination_size"`
		Detail          string      `json:"detail,omitempty"`
	}{f.Kind, f.Key, sizeOrNull(f.SourceSize), sizeOrNull(f.DestinationSize), f.Detail})
}

func sizeOrNull(n int64) *int64 {
	if n < 0 {
		return nil
	}
	return &n
}

// MarshalJSON writes the form that `objstore replication verify -o json`
// documents.
func (v Verification) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		PolicyID   string         `json:"policy_id"`
		Compared   int64          `json:"compared"`
		Equal      int64          `json:"equal"`
		Read       int64          `json:"read"`
		BytesRead  int64          `json:"bytes_read"`
		Special    int64          `json:"special"`
		Total      int64          `json:"findings_total"`
		Counts     []FindingCount `json:"counts"`
		Findings   []Finding      `json:"findings"`
		DurationMS int64          `json:"duration_ms"`
	}{
		v.PolicyID, v.Compared, v.Equal, v.Read, v.BytesRead, v.Special, v.Total(),
		append([]FindingCount{}, v.Counts...), append([]Finding{}, v.Findings...), v.Duration.Milliseconds(),
	})
}
