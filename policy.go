package replication

import (
	"time"
)

// A Policy says what is kept replicated where, and how. The zero value of every
// field but the id and the two backends is usable; note that the zero Enabled
// leaves a policy out of SyncAll and of background runs.
//
// A Policy may hold secrets in its settings. Printing one with package fmt or
// log/slog never shows a setting's value; [Replicator.Redacted] returns a copy
// that may be shown whole.
type Policy struct {
	// ID names the policy. It may hold any printable characters, slashes too.
	ID string

	// SourceBackend and DestinationBackend are each the name of a driver, whose
	// settings then stand in the policy, or of a backend that WithBackend or a
	// policy file defines. Settings beside such a name override its own.
	SourceBackend       string
	SourceSettings      map[string]string
	DestinationBackend  string
	DestinationSettings map[string]string

	// SourcePrefix limits the policy to keys that begin with it.
	SourcePrefix string
	// DestinationPrefix, unless empty, takes the place of SourcePrefix in the
	// keys at the destination; "/" takes SourcePrefix off and puts nothing in
	// its place. While it is empty, keys stay as they are.
	DestinationPrefix string
	// Include and Exclude are globs over the key without SourcePrefix, in
	// which ** crosses slashes. An object is replicated if it matches an
	// Include, or there is none, and matches no Exclude. What is not
	// replicated counts as absent at the source, but what this policy wrote
	// before it was excluded is left where it is.
	Include []string
	Exclude []string

	// CheckInterval is the time from the start of one background pass to the
	// start of the next; 0 takes the replicator's own (WithInterval).
	CheckInterval time.Duration
	Enabled       bool

	// Mode is transparent (the zero value) or opaque.
	Mode       Mode
	Encryption Encryption

	// Deletes says what happens at the destination to an object that this
	// policy wrote and that is gone from the source.
	Deletes DeleteMode
	// MaxDelete is the brake: a pass that wants to delete more than this
	// deletes nothing and fails with ErrBrake. "10%" is a share of the objects
	// the policy knows, "500" a number of objects, "off" no brake. Empty is the
	// default, 25% and more than 100 objects.
	MaxDelete string
	// TrashPrefix, unless empty, has the destination's objects moved instead of
	// deleted, within its store: to TrashPrefix, the start of the pass as
	// 20060102T150405Z in UTC, a slash, and the key below DestinationPrefix.
	// Nothing under it is looked at, replicated to or ever deleted by the
	// policy. Policies that share a store should each have one of their own.
	TrashPrefix string
	// Foreign says what to do where an object of somebody else stands at the
	// destination under a key of the source.
	Foreign ConflictMode
	// Drift says what to do with an object that this policy wrote and that
	// somebody else has replaced since.
	Drift ConflictMode

	// ObjectTags has the object tags of S3 and Azure copied too. It costs one
	// request to the source for each copied object that has tags, and for others
	// until an answer has shown that the source tells how many there are. A
	// change of tags alone makes no new version, and so is not seen.
	ObjectTags bool
	// StorageClass maps the storage class of a source object to that of its
	// copy, each in its store's own words: {"STANDARD": "Hot", "GLACIER":
	// "Archive", "*": "Cool"}, in which "*" is every other class. An object of a
	// class that is not there fails. While it is empty, copies have the class
	// that the destination's settings or the store itself give new objects.
	StorageClass map[string]string

	// Bandwidth bounds the bytes a second that are copied; 0 is no bound.
	Bandwidth int64
	// Concurrency bounds the objects copied at once; 0 takes the replicator's
	// own (WithConcurrency).
	Concurrency int
}

// A Mode says whether bytes are decrypted and encrypted on their way.
type Mode int

const (
	// Transparent decrypts with the source key and encrypts with the
	// destination key, where those layers are enabled.
	Transparent Mode = iota
	// Opaque copies the stored bytes as they are.
	Opaque
)

// A DeleteMode says whether deletions are replicated.
type DeleteMode int

const (
	// PropagateDeletes deletes at the destination what is gone at the source.
	PropagateDeletes DeleteMode = iota
	// KeepDeleted leaves it there.
	KeepDeleted
)

// A ConflictMode says what happens to an object at the destination that this
// policy did not write.
type ConflictMode int

const (
	// Report leaves the object alone and counts its key as failed.
	Report ConflictMode = iota
	// Overwrite replaces it with the source's.
	Overwrite
)

// Encryption holds the three layers, each off by default.
type Encryption struct {
	// Backend is encryption at rest in a local backend.
	Backend EncryptionLayer `json:"backend,omitzero"`
	// Source decrypts what is read; Destination encrypts what is written.
	Source      EncryptionLayer `json:"source,omitzero"`
	Destination EncryptionLayer `json:"destination,omitzero"`
}

// An EncryptionLayer names the key of one layer.
type EncryptionLayer struct {
	Enabled    bool   `json:"enabled"`
	Provider   string `json:"provider,omitempty"`
	DefaultKey string `json:"default_key,omitempty"`
}
