package backend

import (
	"context"
	"time"
)

// A PartUploader can write an object in parts, from several goroutines at once
// and over the lives of several processes. What is uploaded shows nowhere until
// Complete, which is one step like a Put.
type PartUploader interface {
	// UploadParts begins an upload of an object, or goes on with the one that
	// opts.ID names. For the latter a store need not be asked: an id that it
	// does not know, since the upload was completed, aborted or swept, is
	// fs.ErrNotExist here or else at the first call of the upload.
	//
	// An upload belongs to nobody: any number of PartUploads, of any process,
	// may work on one id. What nobody completes or aborts stays and takes room,
	// so callers write the id down before they put the first part.
	UploadParts(ctx context.Context, key string, opts PartsOptions) (PartUpload, error)
}

// An UploadLister can say which uploads of one key are not complete, whoever
// began them. Whoever lost the answer to the beginning of an upload finds it so.
type UploadLister interface {
	// ListUploads returns the uploads of exactly this key, those without parts
	// too, in any order. None is no error.
	ListUploads(ctx context.Context, key string) ([]Upload, error)
}

// An Upload is what a store says of one upload that is not complete.
type Upload struct {
	ID string // for PartsOptions.ID
	// Begun is when the upload was begun, by the store's clock, to a second; zero
	// where the store does not say.
	Begun time.Time
}

// PartsOptions describe the object that is uploaded in parts.
type PartsOptions struct {
	// ID names the upload to go on with; empty begins one. The other options
	// are then those that it was begun with; only PartSize is looked at.
	ID string
	// PartSize is the length of every part but the last, which has at most as
	// much. Properties.Parts bounds it.
	PartSize int64
	// As in PutOptions.
	Metadata   Metadata
	ObjectTags map[string]string
	Class      string
	// Copied: the parts are filled by a PartCopier, all of them. Some stores have
	// no checksum of such parts, and so are asked for none of the whole.
	Copied bool
}

// A PartUpload is one upload in parts. Its methods may be called from many
// goroutines at once. Where the store no longer knows the upload, they fail
// with fs.ErrNotExist, all but Abort.
type PartUpload interface {
	// ID names the upload in its store, for PartsOptions.ID.
	ID() string

	// Put writes the part of this number, counted from 1; one that is there
	// already is replaced. A body that is shorter or longer than its Size, or
	// that fails, fails like that of Backend.Put: the part is then missing, or
	// what it was before.
	Put(ctx context.Context, number int, body Body) (Part, error)

	// Parts returns what the store has, by number. A part is on it once its
	// Put has succeeded, and never with fewer bytes than were put.
	Parts(ctx context.Context) ([]Part, error)

	// Complete makes the parts one object, in the order of their numbers, which
	// are 1 to len(parts), and ends the upload. They come as Put or Parts
	// returned them; one that the store does not have so fails with
	// ErrChecksum.
	//
	// The condition is like that of Backend.Put, as far as Properties.Complete
	// declares it. A failure that is Definite changes nothing, and the upload
	// may be completed again (but see PartLimits.WritesEnd); of any other, and of fs.ErrNotExist, the outcome
	// is unknown until somebody looks at the object.
	Complete(ctx context.Context, parts []Part, c Condition) (Object, error)

	// Abort removes the upload and all its parts. One that is not there any
	// more is aborted already. Parts that are being put meanwhile may survive
	// it, so callers let them end first.
	Abort(ctx context.Context) error
}

// A Part is what a store says of one part of an upload.
type Part struct {
	Number int
	Size   int64
	// Tag and Checksum are the store's own names of the bytes, opaque like an
	// object's Tag. Either may be empty.
	Tag      Tag
	Checksum string
}

// PartLimits bound the parts of one upload. Zero is no limit.
type PartLimits struct {
	// Min and Max bound the size of a part in bytes; the last one may be
	// smaller than Min.
	Min, Max int64
	// Count is the largest number of a part.
	Count int
	// WritesEnd says that the store forgets the uploads of a key when another
	// write of that key takes place: they do not exist then.
	WritesEnd bool
}

// Size returns the part size nearest to the wanted one with which an object of
// a given size fits into the limits, or 0 where none does.
func (l PartLimits) Size(object, wanted int64) int64 {
	const step = 1 << 20 // odd sizes would do as well, but are hard to read
	size := max(wanted, l.Min, 1)
	if l.Count > 0 {
		if least := (object + int64(l.Count) - 1) / int64(l.Count); least > size {
			size = (least + step - 1) / step * step
			if l.Max > 0 && size > l.Max && least <= l.Max {
				size = l.Max
			}
		}
	}
	if l.Max > 0 && size > l.Max {
		if size = l.Max; size < l.Min || l.Count > 0 && (object+size-1)/size > int64(l.Count) {
			return 0
		}
	}
	return size
}
