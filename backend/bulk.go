package backend

import "context"

// A BulkDeleter can delete many objects in one request.
type BulkDeleter interface {
	// DeleteMany deletes up to Properties.MaxBulkDelete objects, each key at
	// most once. It returns one error for each deletion, in their order: nil
	// where the object is gone, also where it was absent before, and else what
	// Delete would return. One's failure does not keep the others from being
	// deleted.
	//
	// A Deletion on a condition is like a conditional Delete, as far as
	// Properties.BulkDelete declares it. errors.ErrUnsupported says of a key
	// that it cannot be among many, and nothing of whether Delete takes it.
	DeleteMany(ctx context.Context, deletions []Deletion) []error
}

// A Deletion is one object among many to be deleted.
type Deletion struct {
	Key string
	// IfMatch, unless empty, names the one version to delete.
	IfMatch Tag
}
