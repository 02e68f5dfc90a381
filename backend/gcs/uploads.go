package gcs

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"cloud.google.com/go/storage"
	"golang.org/x/sync/errgroup"

	"github.com/objrepl/replication/backend"
)

var (
	_ backend.UploadLister = (*Store)(nil)
	_ backend.Sweeper      = (*Store)(nil)
)

// Names of the objects of an upload; docs/FORMAT.md has them.
const (
	uploadsPrefix = reserved + "uploads/" // <hash of the key>/<id>
	partsPrefix   = reserved + "parts/"   // <id>/<number>, <id>/<level>-<number>
)

// removals is how many temporary objects are deleted at once.
const removals = 8

func headersOf(key string) string {
	return fmt.Sprintf("%s%x/", uploadsPrefix, sha256.Sum256([]byte(key)))
}

func (u *upload) header() string         { return headersOf(u.key) + u.id }
func (u *upload) folder() string         { return partsPrefix + u.id + "/" }
func (u *upload) part(number int) string { return fmt.Sprintf("%s%05d", u.folder(), number) }

// composed names what a part of the parts were composed to, on the way to the
// whole.
func (u *upload) composed(level, number int) string {
	return fmt.Sprintf("%s%d-%05d", u.folder(), level, number)
}

// validID says whether an id is one of ours: others could name other objects.
func validID(id string) bool {
	return len(id) == 26 && strings.Trim(id, "abcdefghijklmnopqrstuvwxyz234567") == ""
}

// ListUploads implements backend.UploadLister: one request for a thousand.
func (s *Store) ListUploads(ctx context.Context, key string) ([]backend.Upload, error) {
	const op = "list uploads"
	if err := checkKey(key); err != nil {
		return nil, s.fail(ctx, op, key, err)
	}
	q := query(headersOf(key))
	// Fails for unknown names alone.
	_ = q.SetAttrSelection([]string{"Name", "Created"})
	var out []backend.Upload
	for page, err := range s.entries(ctx, q) {
		if err != nil {
			return nil, s.fail(ctx, op, key, err)
		}
		for _, a := range page {
			if id := strings.TrimPrefix(a.Name, headersOf(key)); validID(id) {
				out = append(out, backend.Upload{ID: id, Begun: a.Created})
			}
		}
	}
	return out, nil
}

// remove deletes all that belongs to the upload, its header last.
func (u *upload) remove(ctx context.Context, op string) error {
	s := u.store
	for page, err := range s.entries(ctx, query(u.folder())) {
		if err == nil {
			err = s.purge(ctx, page)
		}
		if err != nil {
			return s.fail(ctx, op, u.key, err)
		}
	}
	header, err := u.known(ctx, op)
	if err == nil {
		err = s.fail(ctx, op, u.key, s.purge(ctx, []*storage.ObjectAttrs{header}))
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// purge deletes temporary objects for good: in a versioned bucket a deletion
// that names the generation leaves no other version behind.
func (s *Store) purge(ctx context.Context, objects []*storage.ObjectAttrs) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(removals)
	for _, a := range objects {
		group.Go(func() error {
			err := s.bucket.Object(a.Name).Generation(a.Generation).Delete(ctx)
			if errors.Is(err, storage.ErrObjectNotExist) {
				return nil
			}
			return err
		})
	}
	return group.Wait()
}

// Sweep implements backend.Sweeper. An upload is as old as the youngest of its
// objects, and goes as a whole. What it counts is objects. Where there is nothing,
// as nearly always, it is one request.
func (s *Store) Sweep(ctx context.Context, before time.Time) (int, error) {
	const op = "sweep"
	youngest := map[string]time.Time{} // by id; as many as there are uploads
	for page, err := range s.entries(ctx, query(reserved)) {
		if err != nil {
			return 0, s.fail(ctx, op, "", err)
		}
		for _, a := range page {
			if id := idOf(a.Name); a.Updated.After(youngest[id]) {
				youngest[id] = a.Updated
			}
		}
	}
	if len(youngest) == 0 {
		return 0, nil
	}
	swept := 0
	// Headers last, as in remove.
	for _, prefix := range []string{partsPrefix, uploadsPrefix} {
		for page, err := range s.entries(ctx, query(prefix)) {
			if err != nil {
				return swept, s.fail(ctx, op, "", err)
			}
			var old []*storage.ObjectAttrs
			for _, a := range page {
				if last, seen := youngest[idOf(a.Name)]; seen && last.Before(before) && a.Updated.Before(before) {
					old = append(old, a)
				}
			}
			if err := s.purge(ctx, old); err != nil {
				return swept, s.fail(ctx, op, "", err)
			}
			swept += len(old)
		}
	}
	return swept, nil
}

// idOf returns the id of the upload that a temporary object belongs to.
func idOf(name string) string {
	if rest, ok := strings.CutPrefix(name, partsPrefix); ok {
		id, _, _ := strings.Cut(rest, "/")
		return id
	}
	return name[strings.LastIndexByte(name, '/')+1:]
}
