package memory

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/objrepl/replication/backend"
)

var (
	_ backend.PartUploader = (*Store)(nil)
	_ backend.UploadLister = (*Store)(nil)
)

// uploads are the unfinished uploads of a store. The zero value has none.
type uploads struct {
	mu   sync.Mutex
	last uint64             // guarded by mu
	open map[string]*upload // by id; guarded by mu
}

// An upload is one unfinished upload.
type upload struct {
	key      string
	begun    time.Time
	partSize int64
	version  version      // but for its bytes
	parts    map[int]part // guarded by the uploads' mu
}

type part struct {
	backend.Part
	data []byte
}

// A partUpload is a way to an upload. It holds none of its state, as if the
// store were far away.
type partUpload struct {
	store   *Store
	key, id string
}

// Uploads returns the ids of all unfinished uploads, for tests.
func (s *Store) Uploads() []string {
	s.uploads.mu.Lock()
	defer s.uploads.mu.Unlock()
	return slices.Sorted(maps.Keys(s.uploads.open))
}

// ListUploads implements backend.UploadLister.
func (s *Store) ListUploads(ctx context.Context, key string) ([]backend.Upload, error) {
	err := ctx.Err()
	if err == nil {
		err = s.check(key)
	}
	if err != nil {
		return nil, fail("list uploads", key, err)
	}
	s.uploads.mu.Lock()
	defer s.uploads.mu.Unlock()
	var out []backend.Upload
	for id, u := range s.uploads.open {
		if u.key == key {
			out = append(out, backend.Upload{ID: id, Begun: u.begun})
		}
	}
	return out, nil
}

// UploadParts implements backend.PartUploader.
func (s *Store) UploadParts(ctx context.Context, key string, opts backend.PartsOptions) (backend.PartUpload, error) {
	id, err := s.uploadParts(ctx, key, opts)
	if err != nil {
		return nil, fail("upload", key, err)
	}
	return &partUpload{s, key, id}, nil
}

func (s *Store) uploadParts(ctx context.Context, key string, opts backend.PartsOptions) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	if err := s.check(key); err != nil {
		return "", err
	}
	if opts.ID != "" {
		_, unlock, err := s.upload(key, opts.ID)
		if err == nil {
			unlock()
		}
		return opts.ID, err
	}
	l := s.properties.Parts
	if opts.PartSize < max(l.Min, 1) || l.Max > 0 && opts.PartSize > l.Max {
		return "", fmt.Errorf("%w: parts of %d bytes", errors.ErrUnsupported, opts.PartSize)
	}
	v, err := s.newVersion(key, opts.Metadata, opts.ObjectTags, opts.Class)
	if err != nil {
		return "", err
	}
	u := &s.uploads
	u.mu.Lock()
	defer u.mu.Unlock()
	u.last++
	id := strconv.FormatUint(u.last, 10)
	if u.open == nil {
		u.open = map[string]*upload{}
	}
	u.open[id] = &upload{key: key, begun: time.Now(), partSize: opts.PartSize, version: *v, parts: map[int]part{}}
	return id, nil
}

// upload returns an upload and holds all of them still until unlock.
func (s *Store) upload(key, id string) (u *upload, unlock func(), err error) {
	s.uploads.mu.Lock()
	u = s.uploads.open[id]
	if u == nil || u.key != key {
		s.uploads.mu.Unlock()
		return nil, nil, fmt.Errorf("upload %q: %w", id, fs.ErrNotExist)
	}
	return u, s.uploads.mu.Unlock, nil
}

// ID implements backend.PartUpload.
func (p *partUpload) ID() string { return p.id }

// Put implements backend.PartUpload.
func (p *partUpload) Put(ctx context.Context, number int, body backend.Body) (backend.Part, error) {
	out, err := p.put(ctx, number, body)
	if err != nil {
		return backend.Part{}, fail("upload part", p.key, err)
	}
	return out, nil
}

func (p *partUpload) put(ctx context.Context, number int, body backend.Body) (backend.Part, error) {
	u, unlock, err := p.store.upload(p.key, p.id)
	if err != nil {
		return backend.Part{}, err
	}
	unlock()
	limits := p.store.properties.Parts
	switch {
	case ctx.Err() != nil:
		return backend.Part{}, ctx.Err()
	case number < 1 || limits.Count > 0 && number > limits.Count:
		return backend.Part{}, fmt.Errorf("%w: part number %d", fs.ErrInvalid, number)
	case body.Size > u.partSize:
		return backend.Part{}, fmt.Errorf("%w: a part of %d bytes, at most %d", backend.ErrTooLarge, body.Size, u.partSize)
	}
	data, err := p.store.read(ctx, body)
	if err != nil {
		return backend.Part{}, err
	}
	out := backend.Part{
		Number: number, Size: int64(len(data)),
		Checksum: strconv.FormatUint(uint64(crc32.ChecksumIEEE(data)), 16),
	}
	u, unlock, err = p.store.upload(p.key, p.id)
	if err != nil {
		return backend.Part{}, err
	}
	defer unlock()
	u.parts[number] = part{out, data}
	return out, nil
}

// Parts implements backend.PartUpload.
func (p *partUpload) Parts(ctx context.Context) ([]backend.Part, error) {
	if err := ctx.Err(); err != nil {
		return nil, fail("list parts", p.key, err)
	}
	u, unlock, err := p.store.upload(p.key, p.id)
	if err != nil {
		return nil, fail("list parts", p.key, err)
	}
	defer unlock()
	var out []backend.Part
	for _, number := range slices.Sorted(maps.Keys(u.parts)) {
		out = append(out, u.parts[number].Part)
	}
	return out, nil
}

// Complete implements backend.PartUpload.
func (p *partUpload) Complete(ctx context.Context, parts []backend.Part, c backend.Condition) (backend.Object, error) {
	o, err := p.complete(ctx, parts, c)
	if err != nil {
		return backend.Object{}, fail("complete", p.key, err)
	}
	return o, nil
}

func (p *partUpload) complete(ctx context.Context, parts []backend.Part, c backend.Condition) (backend.Object, error) {
	s := p.store
	if declared := s.properties.Complete; c.Absent && !declared.IfAbsent || c.Match != "" && !declared.IfMatch {
		return backend.Object{}, fmt.Errorf("complete on a condition: %w", errors.ErrUnsupported)
	}
	u, unlock, err := s.upload(p.key, p.id)
	if err != nil {
		return backend.Object{}, err
	}
	defer unlock()
	var data bytes.Buffer
	for i, want := range parts {
		have := u.parts[i+1]
		if want.Number != i+1 || have.Part != want || i+1 < len(parts) && have.Size != u.partSize {
			return backend.Object{}, fmt.Errorf("%w: part %d is not there as it is wanted", backend.ErrChecksum, i+1)
		}
		data.Write(have.data)
	}
	if len(parts) == 0 {
		return backend.Object{}, fmt.Errorf("%w: an upload without parts", backend.ErrChecksum)
	}
	v := u.version
	v.data, v.object.Size = data.Bytes(), int64(data.Len())
	o, err := s.commit(ctx, c, &v)
	if err == nil {
		delete(s.uploads.open, p.id)
	}
	return o, err
}

// Abort implements backend.PartUpload.
func (p *partUpload) Abort(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return fail("abort", p.key, err)
	}
	if _, unlock, err := p.store.upload(p.key, p.id); err == nil {
		delete(p.store.uploads.open, p.id)
		unlock()
	}
	return nil
}
