package gcs

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"cloud.google.com/go/storage"

	"github.com/objrepl/replication/backend"
)

var _ backend.PartUploader = (*Store)(nil)

// maxParts keeps the compositions of one upload to a few hundred.
const maxParts = 10_000

// An upload is an object in parts, each of which is an object of its own until
// the store composes them. A resumable session of the store would do without,
// but the SDK lets no other process go on with one.
type upload struct {
	store   *Store
	key, id string
	size    int64 // of each part but the last
}

// UploadParts implements backend.PartUploader. An upload begins with its
// header, an empty object that has the metadata and class which the whole is to
// have.
//
// Parts have the class of the whole too, since the store composes no others
// (https://cloud.google.com/storage/docs/composite-objects), and would be billed
// for the time that colder classes last at least. So there are none in those.
func (s *Store) UploadParts(ctx context.Context, key string, opts backend.PartsOptions) (backend.PartUpload, error) {
	const op = "upload"
	if err := checkKey(key); err != nil {
		return nil, s.fail(ctx, op, key, err)
	}
	if opts.ID != "" {
		return &upload{s, key, opts.ID, opts.PartSize}, nil
	}
	if opts.PartSize <= 0 || opts.PartSize > maxObject {
		return nil, s.fail(ctx, op, key, fmt.Errorf("parts of %d bytes: %w", opts.PartSize, errors.ErrUnsupported))
	}
	if class := cmp.Or(opts.Class, s.class, standardClass); class != standardClass {
		return nil, s.fail(ctx, op, key, fmt.Errorf("parts of class %s: %w", class, errors.ErrUnsupported))
	}
	attrs, err := s.attributesOf(backend.PutOptions{Metadata: opts.Metadata, ObjectTags: opts.ObjectTags, Class: opts.Class})
	if err != nil {
		return nil, s.fail(ctx, op, key, err)
	}
	u := &upload{s, key, strings.ToLower(rand.Text()), opts.PartSize}
	if _, err := s.write(ctx, u.header(), backend.Bytes(nil), attrs, backend.Condition{Absent: true}); err != nil {
		return nil, s.writeError(ctx, op, key, err, backend.Condition{})
	}
	return u, nil
}

// ID implements backend.PartUpload.
func (u *upload) ID() string { return u.id }

// known returns the header of the upload.
func (u *upload) known(ctx context.Context, op string) (*storage.ObjectAttrs, error) {
	if !validID(u.id) {
		return nil, u.store.fail(ctx, op, u.key, fmt.Errorf("%w: %q is no upload", fs.ErrNotExist, u.id))
	}
	attrs, err := u.store.bucket.Object(u.header()).Attrs(ctx)
	if err != nil {
		return nil, u.store.settle(ctx, op, u.key, err)
	}
	return attrs, nil
}

// Put implements backend.PartUpload. It looks for the header first: a part of
// an upload that is over would stay until it is swept.
func (u *upload) Put(ctx context.Context, number int, body backend.Body) (backend.Part, error) {
	const op = "upload part"
	s := u.store
	if number < 1 || number > maxParts {
		return backend.Part{}, s.fail(ctx, op, u.key, fmt.Errorf("part %d: %w", number, fs.ErrInvalid))
	}
	if body.Size > u.size {
		return backend.Part{}, s.fail(ctx, op, u.key, fmt.Errorf("%w: part %d has %d bytes, more than %d", backend.ErrTooLarge, number, body.Size, u.size))
	}
	header, err := u.known(ctx, op)
	if err != nil {
		return backend.Part{}, err
	}
	attrs, err := s.write(ctx, u.part(number), body, storage.ObjectAttrs{StorageClass: header.StorageClass}, backend.Condition{})
	if err != nil {
		return backend.Part{}, s.writeError(ctx, op, u.key, err, backend.Condition{})
	}
	return partOf(number, attrs), nil
}

// Parts implements backend.PartUpload: one request for a thousand parts, and
// one for the header.
func (u *upload) Parts(ctx context.Context) ([]backend.Part, error) {
	const op = "list parts"
	if _, err := u.known(ctx, op); err != nil {
		return nil, err
	}
	return u.parts(ctx, op)
}

func (u *upload) parts(ctx context.Context, op string) ([]backend.Part, error) {
	s := u.store
	q := query(u.folder())
	// Fails for unknown names alone.
	_ = q.SetAttrSelection([]string{"Name", "Size", "Generation", "CRC32C"})
	var out []backend.Part
	for page, err := range s.entries(ctx, q) {
		if err != nil {
			return nil, s.fail(ctx, op, u.key, err)
		}
		for _, a := range page {
			number, err := strconv.Atoi(strings.TrimPrefix(a.Name, u.folder()))
			if err == nil && a.Name == u.part(number) {
				out = append(out, partOf(number, a))
			}
		}
	}
	return out, nil
}

func partOf(number int, a *storage.ObjectAttrs) backend.Part {
	var sum [4]byte
	binary.BigEndian.PutUint32(sum[:], a.CRC32C)
	return backend.Part{Number: number, Size: a.Size, Tag: tagOf(a.Generation), Checksum: base64.StdEncoding.EncodeToString(sum[:])}
}

// Abort implements backend.PartUpload. The header goes last, so that an abort
// that was cut short is found and done again.
func (u *upload) Abort(ctx context.Context) error {
	const op = "abort"
	if !validID(u.id) {
		return nil
	}
	return u.remove(ctx, op)
}
