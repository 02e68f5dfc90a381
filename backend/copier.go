package backend

import "context"

// A Copier can copy an object within its store without the bytes passing
// through the caller.
type Copier interface {
	// Copy makes the object under from, with its metadata as it is, the object
	// under to as well, in one step like a Put. What becomes of one of them
	// later does not show in the other. The Object returned is the copy, with
	// at least Key and Tag.
	//
	// An absent object under from is fs.ErrNotExist, one larger than
	// Properties.MaxCopy is ErrTooLarge, and either changes nothing. A key is
	// not copied onto itself.
	Copy(ctx context.Context, from, to string, opts CopyOptions) (Object, error)
}

// CopyOptions say which version is copied, and onto what.
type CopyOptions struct {
	// FromMatch, unless empty, names the version to copy; any other fails with
	// ErrPrecondition. Every Copier honours it.
	FromMatch Tag
	// If is the condition on the object under to, as for a Put and as far as
	// Properties.Copy declares it.
	If Condition
}
