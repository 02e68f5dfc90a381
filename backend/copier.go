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

// A CrossCopier can copy from other stores of its service: another bucket or
// container at the same endpoint.
type CrossCopier interface {
	// CopierFrom returns a Copier whose from are keys of source and whose to are
	// keys of this store, or nil where the service copies nothing from there. It
	// does no I/O. The service reads the source with the credentials of this
	// store, or those of the source where it takes both; whether they suffice
	// shows in the copy, which fails with fs.ErrPermission. A store copies from
	// itself where it copies from any.
	CopierFrom(source Backend) Copier
}

// CopierBetween returns what copies from source to destination without the bytes
// passing through the caller; nil where nothing does.
func CopierBetween(source, destination Backend) Copier {
	c, ok := As[CrossCopier](destination)
	if !ok || source == nil {
		return nil
	}
	return c.CopierFrom(source)
}

// A PartCopier is a Copier that can also copy a range of an object into a part of
// an upload, for objects that one copy does not take, and for stores that keep to
// a condition when an upload is completed but not when an object is copied.
type PartCopier interface {
	Copier
	// CopyPart fills the part of this number, of an upload that the store copied
	// to has begun, with a range of the version of from that r names, as
	// PartUpload.Put does with a body. An object under from that is absent, or
	// another version, is ErrPrecondition; fs.ErrNotExist is said of the upload.
	CopyPart(ctx context.Context, from string, r CopyRange, upload PartUpload, number int) (Part, error)
}

// A CopyRange is a range of one version. It is not empty, and within the object.
type CopyRange struct {
	Match          Tag
	Stamp          string // as CopyOptions.FromStamp
	Offset, Length int64
}

// CopyOptions say which version is copied, and onto what.
type CopyOptions struct {
	// FromMatch, unless empty, names the version to copy; any other fails with
	// ErrPrecondition. Every Copier honours it.
	FromMatch Tag
	// FromStamp, unless empty, is the Stamp that goes with FromMatch; another one
	// fails likewise, also where the store has no stamps.
	FromStamp string
	// If is the condition on the object under to, as for a Put and as far as
	// Properties.Copy declares it.
	If Condition
}
