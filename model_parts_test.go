package replication

import (
	"context"
	"fmt"
	"io"
	"maps"
	"path/filepath"

	"github.com/objrepl/replication/backend"
)

// Bodies of the model have 14 bytes and more.
const (
	modelPartsFrom = 15
	modelPartSize  = 6
)

// A simUpload is an upload in parts each of whose calls the scheduler lets
// through.
type simUpload struct {
	backend.PartUpload
	h   *simStore
	key string
}

// UploadParts implements backend.PartUploader. Going on with an upload is no
// call.
func (h *simStore) UploadParts(ctx context.Context, key string, opts backend.PartsOptions) (backend.PartUpload, error) {
	u := &simUpload{h: h, key: key}
	begin := func(verdictOf) (err error) {
		u.PartUpload, err = h.Store.UploadParts(context.Background(), key, opts)
		return err
	}
	if opts.ID != "" {
		return u, begin(verdictOf{})
	}
	return u, h.do(ctx, "begin", key, begin)
}

func (u *simUpload) Put(ctx context.Context, number int, body backend.Body) (part backend.Part, err error) {
	err = u.h.do(ctx, fmt.Sprintf("part %d of", number), u.key, func(v verdictOf) error {
		data, err := readBody(body, v.twice)
		if err != nil {
			return fmt.Errorf("put part: %w", err)
		}
		part, err = u.PartUpload.Put(context.Background(), number, backend.Bytes(data))
		return err
	})
	return part, err
}

func (u *simUpload) Parts(ctx context.Context) (parts []backend.Part, err error) {
	err = u.h.do(ctx, "parts of", u.key, func(verdictOf) (err error) {
		parts, err = u.PartUpload.Parts(context.Background())
		return err
	})
	return parts, err
}

func (u *simUpload) Complete(ctx context.Context, parts []backend.Part, c backend.Condition) (o backend.Object, err error) {
	u.h.sim.mutant.completing(u.h, &c)
	err = u.h.do(ctx, "complete", u.key, func(v verdictOf) error {
		apply := func(late bool) error {
			before := u.h.sim.destination[u.key]
			stored, err := u.PartUpload.Complete(context.Background(), parts, c)
			if err != nil {
				return err
			}
			data, err := u.h.sim.content(stored.Key)
			if err != nil {
				return err
			}
			u.h.describe(&stored)
			o = stored
			u.h.sim.landed(u.h, before, stored, data, late)
			return nil
		}
		if v.late > 0 {
			u.h.sim.postpone(v.late, fmt.Sprintf("late: %s complete %q", u.h.actor, u.key), func() error { return apply(true) })
			return backend.ErrUnavailable
		}
		return apply(false)
	})
	if err != nil {
		return backend.Object{}, err
	}
	return o, nil
}

func (u *simUpload) Abort(ctx context.Context) error {
	return u.h.do(ctx, "abort", u.key, func(verdictOf) error { return u.PartUpload.Abort(context.Background()) })
}

// content reads an object of the destination past the scheduler.
func (s *simulation) content(key string) (string, error) {
	_, r, err := s.stores[sideDestination].Open(context.Background(), key, backend.OpenOptions{})
	if err != nil {
		return "", err
	}
	defer r.Close()
	data, err := io.ReadAll(r)
	return string(data), err
}

// checkUploads wants no upload of ours left when all is well.
func (s *simulation) checkUploads() {
	if left := s.stores[sideDestination].Uploads(); len(left) > 0 {
		s.violated("uploads are left at the destination: %v", left)
	}
}

// journalFiles reads the journals of uploads as they are on disk now.
func (s *simulation) journalFiles() map[string][]byte {
	return readFiles(s.journalPath())
}

func (s *simulation) journalPath() string {
	return filepath.Join(s.dir, modelPolicy, policyDir(modelPolicy), uploadsDir)
}

// restoreJournals puts journals back as they were when the process was killed.
func (s *simulation) restoreJournals(files map[string][]byte) {
	now := s.journalFiles()
	if maps.EqualFunc(now, files, func(a, b []byte) bool { return string(a) == string(b) }) {
		return
	}
	writeFiles(s.journalPath(), files)
}
