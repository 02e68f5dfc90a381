package backend

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"
)

// Classes of failure. Absent objects, refused access and racing creates use
// fs.ErrNotExist, fs.ErrPermission and fs.ErrExist; what a store cannot do at
// all wraps errors.ErrUnsupported.
var (
	// ErrPrecondition: the object is not, or no longer, the version that a
	// condition named. The operation changed nothing.
	ErrPrecondition = errors.New("precondition failed")
	// ErrChecksum: bytes arrived damaged, too short or too long. Nothing was
	// written.
	ErrChecksum = errors.New("checksum or length mismatch")
	// ErrThrottled: the store asks to be called less often. Nothing was done.
	ErrThrottled = errors.New("throttled")
	// ErrUnavailable: the store cannot be reached or cannot answer for now.
	ErrUnavailable = errors.New("unavailable")
	// ErrStoreNotFound: the bucket, container or directory itself is missing.
	// It is an outage, never a sign that objects are absent, and so does not
	// wrap fs.ErrNotExist.
	ErrStoreNotFound = errors.New("store not found")
	// ErrInvalidKey: the store can never hold an object of this name.
	ErrInvalidKey = errors.New("invalid key")
	// ErrInvalidMetadata: the store can never hold this metadata.
	ErrInvalidMetadata = errors.New("invalid metadata")
	// ErrInvalidClass: the store has no such storage class or tier, whichever
	// object it is for. It is an ErrInvalidMetadata.
	ErrInvalidClass = fmt.Errorf("%w: storage class", ErrInvalidMetadata)
	// ErrNotEncrypted: the store does not encrypt as its settings ask it to, and is
	// sent nothing more. The write that finds it out has been applied: it returns
	// the object, with its Tag, beside this error. Later ones return none. It is an
	// fs.ErrPermission.
	ErrNotEncrypted = fmt.Errorf("%w: the store does not encrypt what is written as it was asked to", fs.ErrPermission)
	// ErrTooLarge: the object exceeds what the store takes.
	ErrTooLarge = errors.New("object too large")
	// ErrNoSpace: the store is full.
	ErrNoSpace = errors.New("no space left")
	// ErrArchived: the object's bytes are in an archive, and cannot be read
	// before somebody has had the store restore them.
	ErrArchived = errors.New("the object is archived")
	// ErrNotRegular: a FIFO, socket or device where an object would be.
	ErrNotRegular = errors.New("not a regular file")
)

// An Error says which operation failed where. Its text names no secret.
type Error struct {
	Op      string // what was attempted: "open", "stat", "put", "delete", "list"
	Backend string // the driver's name
	Key     string // empty where the operation has none
	Err     error  // wraps the class
	Hint    string // what a person can change, or empty
	// RetryAfter is how long the store asked to be left alone, or 0.
	RetryAfter time.Duration
}

// Error returns "op backend "key": cause; hint" on one line.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Op)
	if e.Backend != "" {
		b.WriteString(" " + e.Backend)
	}
	if e.Key != "" {
		fmt.Fprintf(&b, " %q", e.Key)
	}
	fmt.Fprintf(&b, ": %v", e.Err)
	if e.Hint != "" {
		b.WriteString("; " + e.Hint)
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Definite reports whether a failed write certainly changed nothing or, of
// ErrNotEncrypted, what it returned. Of any other failure (a lost answer, a timeout, a 5xx) the outcome is unknown until
// somebody looks.
func Definite(err error) bool {
	for _, class := range []error{
		fs.ErrNotExist, fs.ErrExist, fs.ErrPermission, errors.ErrUnsupported,
		ErrPrecondition, ErrChecksum, ErrThrottled, ErrStoreNotFound,
		ErrInvalidKey, ErrInvalidMetadata, ErrTooLarge, ErrNoSpace, ErrNotRegular, ErrArchived,
	} {
		if errors.Is(err, class) {
			return true
		}
	}
	return false
}

// Retryable reports whether the same call may succeed when it is made again
// unchanged: the store was busy or out of reach, or bytes were damaged on the
// way. A cancelled context is not retryable, nor is an error of unknown class.
func Retryable(err error) bool {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return false
	}
	return errors.Is(err, ErrThrottled) || errors.Is(err, ErrUnavailable) || errors.Is(err, ErrChecksum)
}
