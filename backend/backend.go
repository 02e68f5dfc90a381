package backend

import (
	"context"
	"io"
	"iter"
)

// A Backend is one open store: a bucket, a container, a directory. Its methods
// may be called from many goroutines at once, end soon after their context
// does, and leave nothing visible behind when they are cancelled. Package
// backendtest checks an implementation against this contract.
type Backend interface {
	// Properties reports what the store promises. It does no I/O and its
	// answer does not change while the backend is open.
	Properties() Properties

	// Stat returns what the store knows of an object, its metadata included.
	// An absent object is an error that wraps fs.ErrNotExist. So is, for Stat,
	// Open and Delete alike, a key that Properties.CheckKey refuses, unless the
	// driver prefers ErrInvalidKey.
	Stat(ctx context.Context, key string) (Object, error)

	// Open starts reading an object. The Object returned describes the very
	// version that the reader yields: it comes from the same answer of the
	// store, not from a request beside it. Its Size is that of the whole
	// object, also for a range.
	//
	// All bytes of one reader belong to one version. Where the store cannot
	// hold a version still, the reader fails with ErrPrecondition in place of
	// io.EOF when the object changed while it was read, so callers read up to
	// io.EOF. A body that ends early fails with io.ErrUnexpectedEOF. The
	// caller closes the reader; ctx bounds the reading too.
	Open(ctx context.Context, key string, opts OpenOptions) (Object, io.ReadCloser, error)

	// Put writes an object, all of it or nothing: no reader ever sees a part,
	// and a failed or cancelled Put leaves what was there before. The Object
	// returned holds at least Key, Size and Tag, the tag as List shows it.
	//
	// A body that is shorter or longer than its Size fails with ErrChecksum
	// and writes nothing. Nor does a body that fails, also where its error
	// comes in place of io.EOF after the last byte: so drivers must not let
	// the store have the last byte before the body has said io.EOF.
	Put(ctx context.Context, key string, body Body, opts PutOptions) (Object, error)

	// Delete removes an object. Deleting an absent object succeeds, unless the
	// deletion is conditional: then it is ErrPrecondition or fs.ErrNotExist.
	// In a versioned store the current version is hidden, never purged.
	Delete(ctx context.Context, key string, opts DeleteOptions) error

	// List yields the objects whose keys begin with opts.Prefix in pages of
	// the driver's choosing. Within and across pages keys strictly increase
	// in byte order where Properties.Ordered says so. The caller owns a page
	// it was given.
	//
	// An error ends the sequence, and is the only sign that the listing is
	// not complete; it may be resumed with After set to the last key seen. An
	// entry whose Problem is set stands for something that the listing met
	// but cannot offer, in its place in the order (see Object.Problem).
	List(ctx context.Context, opts ListOptions) iter.Seq2[[]Object, error]

	// Close releases connections and handles. Calls under way may fail.
	Close() error
}

// OpenOptions say which bytes of which version to read.
type OpenOptions struct {
	// Offset is the first byte to read. At or beyond the end of the object
	// there is nothing to read, which is not an error: the reader is empty.
	Offset int64
	// Length is how many bytes to read at most; 0 reads to the end.
	Length int64
	// IfMatch, unless empty, is the version to read: any other fails with
	// ErrPrecondition. Every driver honours it.
	IfMatch Tag
}

// PutOptions describe the object to write and what it may replace.
type PutOptions struct {
	Metadata Metadata
	// ObjectTags are those the object is to have; an ObjectTagger keeps all of
	// them or refuses the Put with ErrInvalidMetadata.
	ObjectTags map[string]string
	// Class, unless empty, is the storage class the object is to have, in place
	// of the one that the backend's settings or the store give. A store without
	// classes, or without this one, refuses it with errors.ErrUnsupported or
	// ErrInvalidMetadata.
	Class string
	If    Condition
}

// DeleteOptions say what a deletion may remove.
type DeleteOptions struct {
	// IfMatch, unless empty, is the version to delete. A driver that does not
	// declare Properties.Delete.IfMatch refuses it with errors.ErrUnsupported.
	IfMatch Tag
}

// ListOptions bound a listing to the keys k with Prefix a prefix of k and
// After < k <= Until. After and Until are whole keys, prefix included; an
// empty Until is no bound.
//
// The range is open below and closed above because that is what a store can
// start at exactly: S3's start-after is exclusive, and no key names the
// greatest key below another one.
type ListOptions struct {
	Prefix string
	After  string
	Until  string
}

// A Condition says what a write may replace. The zero Condition replaces
// whatever is there. A condition that does not hold fails the write with
// ErrPrecondition (for Absent, fs.ErrExist does as well) and changes nothing;
// one that the driver does not declare fails with errors.ErrUnsupported.
type Condition struct {
	// Match, unless empty, is the version that must be there.
	Match Tag
	// Absent requires that there be no object under the key. It does not go
	// with Match.
	Absent bool
}
