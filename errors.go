package replication

import (
	"errors"
	"fmt"
)

// Classes of failure of a replicator. Failures of stores wrap the classes of
// package backend.
var (
	// ErrPolicyExists: another policy has this id.
	ErrPolicyExists = errors.New("policy exists")
	// ErrPolicyNotFound: no policy has this id.
	ErrPolicyNotFound = errors.New("policy not found")
	// ErrPolicyReadOnly: the policy comes from a policy file, which is never
	// written; change it there.
	ErrPolicyReadOnly = errors.New("policy is defined in the policy file")
	// ErrInvalidPolicy: a policy's fields are wrong; the error lists all faults.
	ErrInvalidPolicy = errors.New("invalid policy")
	// ErrLocked: another process, or another call in this one, runs a pass of
	// the policy.
	ErrLocked = errors.New("policy is locked")
	// ErrObjectsFailed: the pass went through, but some objects failed.
	ErrObjectsFailed = errors.New("some objects failed")
	// ErrBrake: the pass wanted to delete more than the policy's MaxDelete
	// allows and deleted nothing.
	ErrBrake = errors.New("the delete brake stopped deletions")
	// ErrEmptySource: the source lists no object at all, which more often is
	// an outage than a wish to delete everything; nothing was deleted.
	ErrEmptySource = errors.New("the source is empty")
	// ErrDifferent: a verification found that the two sides are not the same.
	ErrDifferent = errors.New("the two sides differ")
	// ErrForeignObject: the object at the destination is not this policy's.
	ErrForeignObject = errors.New("the destination holds an object that this policy did not write")
	// ErrDrift: the object at the destination was replaced by somebody else.
	ErrDrift = errors.New("the destination object was changed by somebody else")
	// ErrEncryptionUnavailable: the policy asks for an encryption layer that
	// this version does not have; nothing was copied.
	ErrEncryptionUnavailable = errors.New("encryption is not available")
	// ErrClosed: the replicator was closed.
	ErrClosed = errors.New("replicator is closed")
)

// A LockedError says who holds a policy's lock.
type LockedError struct {
	PolicyID string
	// Holder describes the holding process as it described itself: for
	// display only.
	Holder string
}

func (e *LockedError) Error() string {
	return fmt.Sprintf("policy %q is locked by %s; wait for it to end, or stop it", e.PolicyID, e.Holder)
}

// Is reports whether target is ErrLocked.
func (e *LockedError) Is(target error) bool { return target == ErrLocked }
