package azure

import (
	"context"
	"encoding/hex"
	"errors"
	"io/fs"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"golang.org/x/sync/semaphore"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/internal/pool"
)

// A Store is one container.
type Store struct {
	container  *container.Client
	pool       *pool.Pool
	properties backend.Properties
	buffers    *semaphore.Weighted // bytes of content held in memory
	scope      *blob.CPKScopeInfo  // nil for the container's
	tier       *blob.AccessTier    // nil for the account's
	// source returns the URL and the token by which the service itself reads an
	// object that it copies.
	source func(ctx context.Context, b *blockblob.Client) (url string, token *string, err error)
}

var (
	_ backend.Backend      = (*Store)(nil)
	_ backend.PartUploader = (*Store)(nil)
	_ backend.Copier       = (*Store)(nil)
	_ backend.CrossCopier  = (*Store)(nil)
)

func properties(location string) backend.Properties {
	both := backend.Conditions{IfAbsent: true, IfMatch: true}
	return backend.Properties{
		Location:    location,
		Ordered:     true,
		Put:         both,
		Delete:      backend.Conditions{IfMatch: true},
		Complete:    both,
		BulkDelete:  backend.Conditions{IfMatch: true},
		Copy:        both,
		MaxCopy:     maxObject,
		MaxPut:      maxPut,
		Parts:       backend.PartLimits{Min: 1, Max: maxPart, Count: maxParts, WritesEnd: true},
		CheckKey:    checkKey,
		MaxMetadata: maxMetadata,
		CheckClass:  checkTier,

		MaxBulkDelete: maxBulkDelete,
	}
}

// Properties implements backend.Backend.
func (s *Store) Properties() backend.Properties { return s.properties }

// String names the container. It holds no secrets, nor does the Go syntax of a
// Store, which may end up in a log.
func (s *Store) String() string { return s.properties.Location }

// GoString is String.
func (s *Store) GoString() string { return s.String() }

// Close implements backend.Backend.
func (s *Store) Close() error {
	s.pool.Close()
	return nil
}

func (s *Store) blob(key string) *blockblob.Client { return s.container.NewBlockBlobClient(key) }

// Stat implements backend.Backend.
func (s *Store) Stat(ctx context.Context, key string) (backend.Object, error) {
	return s.stat(ctx, "stat", key)
}

func (s *Store) stat(ctx context.Context, op, key string) (backend.Object, error) {
	if err := checkKey(key); err != nil {
		return backend.Object{}, refuse(op, key, err)
	}
	res, err := s.blob(key).GetProperties(ctx, nil)
	if err != nil {
		return backend.Object{}, failed(ctx, op, key, err)
	}
	o := backend.Object{Key: key, Size: -1, Tag: tagOf(res.ETag), Checksum: checksumOf(res.ContentMD5)}
	if res.ContentLength != nil {
		o.Size = *res.ContentLength
	}
	if res.LastModified != nil {
		o.Modified = *res.LastModified
	}
	if o.Size < 0 || o.Tag == "" {
		return o, refuse(op, key, errIncomplete)
	}
	if res.AccessTier != nil {
		o.Class = *res.AccessTier
	}
	if res.TagCount != nil {
		o.ObjectTags = int(*res.TagCount)
	}
	m := getMetadata(res.Metadata, &stored{res.ContentType, res.ContentEncoding, res.ContentLanguage, res.ContentDisposition, res.CacheControl})
	o.Metadata = &m
	return o, nil
}

// Delete implements backend.Backend. An object that has snapshots is not
// deleted: the service would want them gone as well.
func (s *Store) Delete(ctx context.Context, key string, opts backend.DeleteOptions) error {
	const op = "delete"
	if err := checkKey(key); err != nil {
		return refuse(op, key, err)
	}
	conditions, err := conditionsOf(backend.Condition{Match: opts.IfMatch})
	if err != nil {
		return refuse(op, key, err)
	}
	_, err = s.blob(key).Delete(ctx, &blob.DeleteOptions{AccessConditions: conditions})
	if err == nil {
		return nil
	}
	if err = failed(ctx, op, key, err); errors.Is(err, fs.ErrNotExist) && opts.IfMatch == "" {
		return nil
	}
	return err
}

// tagOf is an ETag without its quotes, as some answers have it and others not.
func tagOf(etag *azcore.ETag) backend.Tag {
	if etag == nil {
		return ""
	}
	text := string(*etag)
	if len(text) >= 2 && text[0] == '"' && text[len(text)-1] == '"' {
		text = text[1 : len(text)-1]
	}
	return backend.Tag(text)
}

// checksumOf is the MD5 that an object was written with, empty for none. A copy
// keeps it (https://learn.microsoft.com/en-us/rest/api/storageservices/copy-blob-from-url).
func checksumOf(md5 []byte) string { return hex.EncodeToString(md5) }

// etagOf is a tag with its quotes, as If-Match wants it.
func etagOf(tag backend.Tag) *azcore.ETag {
	etag := azcore.ETag(`"` + string(tag) + `"`)
	return &etag
}

// conditionsOf returns nil for none.
func conditionsOf(c backend.Condition) (*blob.AccessConditions, error) {
	var m blob.ModifiedAccessConditions
	switch {
	case c.Absent && c.Match != "":
		return nil, errContradiction
	case c.Absent:
		star := azcore.ETagAny
		m.IfNoneMatch = &star
	case c.Match != "":
		m.IfMatch = etagOf(c.Match)
	default:
		return nil, nil
	}
	return &blob.AccessConditions{ModifiedAccessConditions: &m}, nil
}
