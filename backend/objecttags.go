package backend

import "context"

// An ObjectTagger keeps object tags: pairs of a name and a value that stand
// beside an object's metadata and can change without a new version of it, such
// as the tags of S3 and the index tags of Azure. They have nothing to do with a
// [Tag]. A store that is no ObjectTagger refuses PutOptions.ObjectTags with
// errors.ErrUnsupported.
type ObjectTagger interface {
	// ObjectTags returns the object tags that an object has now, of whichever
	// version is current; none is no error. It is one request.
	//
	// A store that knows no object tags after all, as one driver meets many
	// servers, fails with errors.ErrUnsupported.
	ObjectTags(ctx context.Context, key string) (map[string]string, error)
}
