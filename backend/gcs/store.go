package gcs

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"cloud.google.com/go/storage"
	"google.golang.org/api/googleapi"
	"google.golang.org/api/iterator"

	"github.com/objrepl/replication/backend"
)

// maxObject is the largest object (https://cloud.google.com/storage/quotas#objects).
const maxObject = 5 << 40

// A Store is one bucket; it implements backend.Backend.
type Store struct {
	client     *storage.Client
	bucket     *storage.BucketHandle
	transport  *transport
	kmsKey     string
	class      string // of new objects; empty for the bucket's
	properties backend.Properties
}

// newStore returns a store. varies says that it may be another server than
// Google's, such as an emulator.
func newStore(client *storage.Client, bucket *storage.BucketHandle, t *transport, kmsKey, class, location string, varies bool) *Store {
	both := backend.Conditions{IfAbsent: true, IfMatch: true}
	return &Store{
		client: client, bucket: bucket, transport: t, kmsKey: kmsKey, class: class,
		properties: backend.Properties{
			Location:    location,
			Ordered:     true,
			StartAfter:  true,
			Put:         both,
			Delete:      backend.Conditions{IfMatch: true},
			Complete:    both,
			Copy:        both,
			Varies:      varies,
			MaxPut:      maxObject,
			Parts:       backend.PartLimits{Max: maxObject, Count: maxParts},
			UnknownSize: true,
			CheckKey:    checkKey,
			MaxMetadata: maxMetadata,
			CheckClass:  checkClass,
		},
	}
}

// String keeps credentials out of whatever prints a store.
func (s *Store) String() string { return s.properties.Location }

// GoString is String, for %#v.
func (s *Store) GoString() string { return s.String() }

// Properties implements backend.Backend.
func (s *Store) Properties() backend.Properties { return s.properties }

// Stat implements backend.Backend.
func (s *Store) Stat(ctx context.Context, key string) (backend.Object, error) {
	attrs, err := s.attributes(ctx, "stat", key)
	if err != nil {
		return backend.Object{}, err
	}
	o, err := describedBy(attrs)
	if err != nil {
		return backend.Object{}, s.fail(ctx, "stat", key, err)
	}
	return o, nil
}

// attributes asks for an object on behalf of an operation.
func (s *Store) attributes(ctx context.Context, op, key string) (*storage.ObjectAttrs, error) {
	if err := checkKey(key); err != nil {
		return nil, s.fail(ctx, op, key, err)
	}
	attrs, err := s.bucket.Object(key).Attrs(ctx)
	if err != nil {
		return nil, s.settle(ctx, op, key, err)
	}
	return attrs, nil
}

// Delete implements backend.Backend. The condition is on the generation, which
// is not named: in a versioned bucket that would purge it.
func (s *Store) Delete(ctx context.Context, key string, opts backend.DeleteOptions) error {
	const op = "delete"
	if err := checkKey(key); err != nil {
		return s.fail(ctx, op, key, err)
	}
	object, err := on(s.bucket.Object(key), backend.Condition{Match: opts.IfMatch})
	if err == nil {
		err = object.Delete(ctx)
	}
	if err != nil {
		err = s.settle(ctx, op, key, err)
	}
	if opts.IfMatch == "" && errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// Close implements backend.Backend.
func (s *Store) Close() error {
	err := s.client.Close()
	s.transport.pool.CloseIdleConnections()
	return err
}

// on puts a condition on an object.
func on(o *storage.ObjectHandle, c backend.Condition) (*storage.ObjectHandle, error) {
	switch {
	case c.Absent && c.Match != "":
		return nil, fmt.Errorf("%w: nothing is absent and a version at once", backend.ErrPrecondition)
	case c.Absent:
		return o.If(storage.Conditions{DoesNotExist: true}), nil
	case c.Match != "":
		generation, err := generationOf(c.Match)
		if err != nil {
			return nil, err
		}
		return o.If(storage.Conditions{GenerationMatch: generation}), nil
	}
	return o, nil
}

// A tag is the generation. It stays when metadata alone changes, and so the
// stamp is the metageneration
// (https://cloud.google.com/storage/docs/metadata#generation-number).
func tagOf(generation int64) backend.Tag {
	return backend.Tag(strconv.FormatInt(generation, 10))
}

// generationOf reads a tag. One of another store matches nothing.
func generationOf(t backend.Tag) (int64, error) {
	n, err := strconv.ParseInt(string(t), 10, 64)
	if err != nil || n <= 0 {
		return 0, fmt.Errorf("%w: %q is no generation", backend.ErrPrecondition, t)
	}
	return n, nil
}

func objectOf(a *storage.ObjectAttrs) backend.Object {
	return backend.Object{
		Key: a.Name, Size: a.Size, Tag: tagOf(a.Generation),
		Stamp: strconv.FormatInt(a.Metageneration, 10), Modified: a.Updated, Class: a.StorageClass,
		// None of a composed object; its CRC-32C would be, but proves no equality.
		Checksum: hex.EncodeToString(a.MD5),
	}
}

// describedBy is objectOf with metadata.
func describedBy(a *storage.ObjectAttrs) (o backend.Object, err error) {
	o = objectOf(a)
	o.Metadata, err = metadataOf(a)
	return o, err
}

// settle is fail for an answer to a request about an object. A 404 that does
// not say whether the object or the bucket is missing is settled by a listing,
// the one request about a bucket that needs no other permission.
func (s *Store) settle(ctx context.Context, op, key string, err error) error {
	failed := s.fail(ctx, op, key, err)
	var answer *googleapi.Error
	if !errors.Is(failed, fs.ErrNotExist) || !errors.As(err, &answer) || strings.HasPrefix(answer.Message, objectMissing) {
		return failed
	}
	if err := s.present(ctx); err != nil {
		return s.fail(ctx, op, key, err)
	}
	return failed
}

// present reports why the bucket cannot be listed.
func (s *Store) present(ctx context.Context) error {
	var page []*storage.ObjectAttrs
	_, err := iterator.NewPager(s.bucket.Objects(ctx, query("")), 1, "").NextPage(&page)
	return listError(err)
}
