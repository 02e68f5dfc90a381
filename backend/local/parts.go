package local

import (
	"context"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"strconv"
	"time"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/internal/usermeta"
	"github.com/objrepl/replication/internal/durable"
)

var (
	_ backend.PartUploader = (*store)(nil)
	_ backend.UploadLister = (*store)(nil)
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// An upload is the object's file to be, into which parts are written at their
// places, beside a header and a log of the parts that are on disk. It holds no
// state of its own, so that any process can go on with it.
type upload struct {
	store   *store
	key, id string
}

// UploadParts implements backend.PartUploader.
func (s *store) UploadParts(ctx context.Context, key string, opts backend.PartsOptions) (backend.PartUpload, error) {
	u := &upload{store: s, key: key, id: opts.ID}
	err := ctx.Err()
	if err == nil {
		err = s.checkKey(key)
	}
	if err == nil && u.id == "" {
		err = u.begin(opts)
	} else if err == nil {
		err = u.with(func(*handle, uploadHeader) error { return nil })
	}
	if err != nil {
		return nil, s.fail("upload", key, err)
	}
	return u, nil
}

// ListUploads implements backend.UploadLister. It reads the header of every
// upload, of which a store has few.
func (s *store) ListUploads(ctx context.Context, key string) ([]backend.Upload, error) {
	out, err := s.listUploads(ctx, key)
	return out, s.fail("list uploads", key, err)
}

func (s *store) listUploads(ctx context.Context, key string) ([]backend.Upload, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := s.checkKey(key); err != nil {
		return nil, err
	}
	h, err := s.acquire(false)
	if err != nil {
		return nil, err
	}
	defer h.release()
	return s.uploadsOf(ctx, h, key)
}

func (u *upload) begin(opts backend.PartsOptions) error {
	s := u.store
	if opts.PartSize < 1 {
		return fmt.Errorf("parts of %d bytes: %w", opts.PartSize, fs.ErrInvalid)
	}
	if err := usermeta.CheckNone(opts.ObjectTags, opts.Class); err != nil {
		return err
	}
	if _, err := s.planFor(opts.Metadata); err != nil {
		return err
	}
	h, err := s.acquire(true)
	if err != nil {
		return err
	}
	defer h.release()
	u.id, err = s.newUpload(h, uploadHeader{
		Version: uploadFormat, Key: u.key, Begun: time.Now().UTC(), PartSize: opts.PartSize, Metadata: storedMetadata(opts.Metadata),
	})
	return err
}

// with calls f for an upload that is there.
func (u *upload) with(f func(*handle, uploadHeader) error) error {
	h, err := u.store.acquire(false)
	if err != nil {
		return err
	}
	defer h.release()
	header, err := u.store.uploadHeader(h, u.id)
	if err == nil && header.Key != u.key {
		err = errNoUpload
	}
	if err != nil {
		return err
	}
	return f(h, header)
}

// ID implements backend.PartUpload.
func (u *upload) ID() string { return u.id }

// Put implements backend.PartUpload.
func (u *upload) Put(ctx context.Context, number int, body backend.Body) (part backend.Part, err error) {
	if err = ctx.Err(); err == nil {
		err = u.with(func(h *handle, header uploadHeader) error {
			part, err = u.put(ctx, h, header, number, body)
			return err
		})
	}
	if err != nil {
		return backend.Part{}, u.store.fail("upload part", u.key, err)
	}
	return part, nil
}

func (u *upload) put(ctx context.Context, h *handle, header uploadHeader, number int, body backend.Body) (backend.Part, error) {
	var none backend.Part
	s := u.store
	if number < 1 || int64(number) > (1<<62)/header.PartSize {
		return none, fmt.Errorf("part %d: %w", number, fs.ErrInvalid)
	}
	if body.Size < 0 || body.Size > header.PartSize {
		return none, &classified{class: backend.ErrTooLarge,
			cause: fmt.Sprintf("part %d has %d bytes, and parts have %d", number, body.Size, header.PartSize)}
	}
	have, err := s.uploadedParts(h, u.id)
	if err != nil {
		return none, err
	}
	if _, again := have[number]; again {
		// Before its bytes are touched: a crash then finds it missing.
		if err := s.logPart(h, u.id, strconv.Itoa(number)+" -"); err != nil {
			return none, err
		}
	}
	f, err := h.root.OpenFile(uploadPath(u.id, uploadData), os.O_WRONLY|noWait, 0)
	if err != nil {
		return none, s.noUpload(h, err)
	}
	defer f.Close()
	if _, err := f.Seek(int64(number-1)*header.PartSize, io.SeekStart); err != nil {
		return none, err
	}
	r, err := body.Open(0)
	if err != nil {
		return none, &bodyError{err}
	}
	defer r.Close()
	sum := crc32.New(castagnoli)
	if err := s.copyReader(ctx, f, &summing{r, sum}, 0, body.Size); err != nil {
		return none, err
	}
	if err := s.flush(f); err != nil {
		return none, err
	}
	part := backend.Part{Number: number, Size: body.Size, Checksum: strconv.FormatUint(uint64(sum.Sum32()), 16)}
	return part, s.logPart(h, u.id, fmt.Sprintf("%d %d %s %s", part.Number, part.Size, part.Checksum, lineEnd))
}

// summing sums up what goes by.
type summing struct {
	io.Reader
	sum hash.Hash32
}

func (s *summing) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	s.sum.Write(p[:n])
	return n, err
}

// Parts implements backend.PartUpload.
func (u *upload) Parts(ctx context.Context) (parts []backend.Part, err error) {
	if err = ctx.Err(); err == nil {
		err = u.with(func(h *handle, _ uploadHeader) error {
			have, err := u.store.uploadedParts(h, u.id)
			parts = byNumber(have)
			return err
		})
	}
	if err != nil {
		return nil, u.store.fail("list parts", u.key, err)
	}
	return parts, nil
}

// Complete implements backend.PartUpload: the file gets its name in the same
// way as one of Put, so that nothing is copied once more.
func (u *upload) Complete(ctx context.Context, parts []backend.Part, c backend.Condition) (o backend.Object, err error) {
	if err = ctx.Err(); err == nil {
		err = u.with(func(h *handle, header uploadHeader) error {
			o, err = u.complete(ctx, h, header, parts, c)
			return err
		})
	}
	if err != nil {
		return backend.Object{}, u.store.fail("complete", u.key, err)
	}
	return o, nil
}

func (u *upload) complete(ctx context.Context, h *handle, header uploadHeader, parts []backend.Part, c backend.Condition) (backend.Object, error) {
	var none backend.Object
	s := u.store
	size, err := u.check(h, header, parts)
	if err != nil {
		return none, err
	}
	if c.Absent && c.Match != "" {
		return none, precondition("an object cannot be absent and match a version")
	}
	// The metadata may be set and the file sealed before the lock is taken, but
	// not for nothing.
	if _, _, err := s.replaceable(h, u.key, c); err != nil && !missing(err) {
		return none, err
	}
	p, err := s.planFor(header.Metadata.metadata())
	if err != nil {
		return none, err
	}
	t, err := u.reopen(h)
	if err != nil {
		return none, s.noUpload(h, err)
	}
	defer t.File.Close() // and never Abort: another try may follow
	if err := t.Truncate(size); err != nil {
		return none, err
	}
	o, err := s.finish(ctx, h, t, u.key, p, c)
	if crossesMount(err) {
		o, err = u.copyOver(ctx, h, size, header, c)
	}
	if err == nil || errors.Is(err, durable.ErrNotSynced) {
		s.removeUpload(h, u.id)
	}
	return o, err
}

// check holds the parts that are wanted against those that are there.
func (u *upload) check(h *handle, header uploadHeader, parts []backend.Part) (size int64, err error) {
	have, err := u.store.uploadedParts(h, u.id)
	if err != nil {
		return 0, err
	}
	wrong := func(format string, args ...any) (int64, error) {
		return 0, &classified{class: backend.ErrChecksum, cause: fmt.Sprintf(format, args...)}
	}
	if len(parts) == 0 {
		return wrong("the upload is to have no parts")
	}
	for i, want := range parts {
		if got, there := have[i+1]; !there || got != want {
			return wrong("part %d is not there as it is wanted", i+1)
		}
		if i+1 < len(parts) && want.Size != header.PartSize {
			return wrong("part %d has %d bytes and is not the last", i+1, want.Size)
		}
		size += want.Size
	}
	return size, nil
}

// reopen opens the file that is to become the object. One whose permission bits
// an earlier Complete has set already is made writable again.
func (u *upload) reopen(h *handle) (*durable.File, error) {
	name := uploadPath(u.id, uploadData)
	t, err := durable.Reopen(h.root, name)
	if errors.Is(err, fs.ErrPermission) && h.root.Chmod(name, 0o600) == nil {
		t, err = durable.Reopen(h.root, name)
	}
	return t, err
}

// copyOver is for an object whose directory is a mount of its own, where no
// rename leads to.
func (u *upload) copyOver(ctx context.Context, h *handle, size int64, header uploadHeader, c backend.Condition) (backend.Object, error) {
	name := uploadPath(u.id, uploadData)
	return u.store.put(ctx, u.key, backend.Body{Size: size, Open: func(offset int64) (io.ReadCloser, error) {
		f, err := h.root.Open(name)
		if err != nil {
			return nil, err
		}
		if _, err := f.Seek(offset, io.SeekStart); err != nil {
			f.Close()
			return nil, err
		}
		return f, nil
	}}, backend.PutOptions{Metadata: header.Metadata.metadata(), If: c})
}

// Abort implements backend.PartUpload.
func (u *upload) Abort(ctx context.Context) error {
	err := ctx.Err()
	if err == nil {
		err = u.with(func(h *handle, _ uploadHeader) error { return u.store.removeUpload(h, u.id) })
	}
	if errors.Is(err, errNoUpload) {
		return u.store.fail("abort", u.key, u.forget())
	}
	return u.store.fail("abort", u.key, err)
}

// forget removes what is left of an upload that is no longer one.
func (u *upload) forget() error {
	if !validUpload(u.id) {
		return nil
	}
	h, err := u.store.acquire(false)
	if err != nil {
		return err
	}
	defer h.release()
	return u.store.removeUpload(h, u.id)
}
