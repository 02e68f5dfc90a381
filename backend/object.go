package backend

import (
	"strings"
	"time"
)

// A Tag is a store's opaque name of one version of an object, comparable only
// with other tags of that object in that store. The empty Tag is no tag.
type Tag string

// An Object is what a store says of one version of an object.
type Object struct {
	// Key is the object's whole name in the store. It is valid UTF-8 unless
	// the store allows otherwise.
	Key string
	// Size is the length of the stored bytes.
	Size int64
	// Tag names the version.
	Tag Tag
	// Stamp moves whenever the object may have changed although its Tag did
	// not: for a file, the time of its last status change. Two answers with
	// equal Tag and Stamp describe the same bytes and metadata; with an equal
	// Tag alone, the content has to be looked at again. Empty where the Tag
	// says it all, as in S3; in Google Cloud Storage it is the metageneration.
	//
	// A Stamp that ends in "~" is not settled: it is so young that another
	// change could still carry the same one, and it proves nothing.
	Stamp string
	// Checksum is the store's own checksum of the bytes, of whatever kind. Objects
	// of one service with equal sizes and Checksums have the same bytes; unequal
	// ones prove nothing. One of 32 lower-case hexadecimal digits is taken for an
	// MD5: where it equals that of other bytes, of any store, they are the same.
	// Stat and List agree on it. Empty where the store has none.
	Checksum string
	// Modified is when the store says the version was written, to whatever
	// precision this kind of answer has. It is a hint for people: nothing is
	// decided by it.
	Modified time.Time
	// Class is the storage class or access tier of the object in the store's own
	// word. List or Stat, and mostly both, carry it; empty where this answer
	// does not, or the store has none.
	Class string
	// ObjectTags is how many object tags this answer says that the object has.
	// 0 is also that of an answer that says nothing of them.
	ObjectTags int
	// Metadata is nil where the answer does not carry it, as in most listings.
	// Stat and Open always carry it.
	Metadata *Metadata
	// Problem is set only in listings, for an entry that is there but cannot
	// be offered as an object: a special file (ErrNotRegular), a directory
	// that cannot be read, a name that is no key. Such an entry is neither
	// present nor absent. Where Key ends in "/" the problem covers every key
	// that begins with Key, and those keys are missing from the listing.
	Problem error
}

// Settled reports whether a Stamp proves anything when it comes again.
func Settled(stamp string) bool { return !strings.HasSuffix(stamp, "~") }
