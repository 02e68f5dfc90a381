package local

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/internal/durable"
)

// An upload is three files in uploadDir; docs/FORMAT.md specifies them. The
// header comes last and goes first: without it there is no upload.
const (
	uploadHead   = ".json"
	uploadData   = ".data"
	uploadLog    = ".parts"
	uploadFormat = 1
	lineEnd      = "." // of a line in the log that is whole
)

// uploadPatience is how much longer than other leftovers an upload stays:
// whoever began it may come back to it after a weekend.
const uploadPatience = 6 * 24 * time.Hour

// errNoUpload is the definite answer that there is no such upload.
var errNoUpload = &classified{class: fs.ErrNotExist, cause: "no such upload"}

type uploadHeader struct {
	Version  int            `json:"v"`
	Key      string         `json:"key"`
	Begun    time.Time      `json:"begun,omitzero"`
	PartSize int64          `json:"part_size"`
	Metadata storedMetadata `json:"meta"`
}

// storedMetadata is backend.Metadata as a header has it.
type storedMetadata backend.Metadata

type metadataJSON struct {
	Type        string            `json:"type,omitempty"`
	Encoding    string            `json:"encoding,omitempty"`
	Language    string            `json:"language,omitempty"`
	Disposition string            `json:"disposition,omitempty"`
	Cache       string            `json:"cache,omitempty"`
	ModTime     string            `json:"mtime,omitempty"`
	User        map[string]string `json:"user,omitempty"`
}

func (m storedMetadata) metadata() backend.Metadata { return backend.Metadata(m) }

func (m storedMetadata) MarshalJSON() ([]byte, error) {
	out := metadataJSON{
		Type: m.ContentType, Encoding: m.ContentEncoding, Language: m.ContentLanguage,
		Disposition: m.ContentDisposition, Cache: m.CacheControl, User: m.User,
	}
	if !m.ModTime.IsZero() {
		out.ModTime = backend.FormatModTime(m.ModTime)
	}
	return json.Marshal(out)
}

func (m *storedMetadata) UnmarshalJSON(b []byte) error {
	var in metadataJSON
	if err := json.Unmarshal(b, &in); err != nil {
		return err
	}
	*m = storedMetadata{
		ContentType: in.Type, ContentEncoding: in.Encoding, ContentLanguage: in.Language,
		ContentDisposition: in.Disposition, CacheControl: in.Cache, User: in.User,
	}
	if in.ModTime == "" {
		return nil
	}
	var err error
	m.ModTime, err = backend.ParseModTime(in.ModTime)
	return err
}

func uploadPath(id, kind string) string { return uploadDir + "/" + id + kind }

// validUpload keeps an id from being a path.
func validUpload(id string) bool {
	return len(id) >= 16 && len(id) <= 64 && strings.Trim(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") == ""
}

// newUpload makes the files of an upload and returns its id.
func (s *store) newUpload(h *handle, header uploadHeader) (string, error) {
	raw, err := json.Marshal(header)
	if err != nil {
		return "", err
	}
	if err := s.ensureDir(h, uploadDir); err != nil {
		return "", err
	}
	id := rand.Text()
	for _, kind := range []string{uploadData, uploadLog} {
		f, err := h.root.OpenFile(uploadPath(id, kind), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
		if err == nil {
			err = f.Close()
		}
		if err != nil {
			return "", errors.Join(err, s.removeUpload(h, id))
		}
	}
	t, err := durable.Create(h.root, uploadDir)
	if err != nil {
		return "", errors.Join(err, s.removeUpload(h, id))
	}
	defer t.Abort()
	if _, err = t.Write(raw); err == nil {
		err = t.Commit(uploadPath(id, uploadHead), s.commit...) // flushes the directory, and so all three names
	}
	if err != nil {
		return "", errors.Join(err, s.removeUpload(h, id))
	}
	return id, nil
}

// uploadHeader reads the header of an upload that is there.
func (s *store) uploadHeader(h *handle, id string) (uploadHeader, error) {
	var header uploadHeader
	if !validUpload(id) {
		return header, errNoUpload
	}
	raw, err := readSmall(h, uploadPath(id, uploadHead))
	if err != nil {
		return header, s.noUpload(h, err)
	}
	if _, err = h.root.Lstat(uploadPath(id, uploadData)); err != nil {
		err = s.noUpload(h, err)
		if errors.Is(err, errNoUpload) {
			// A crash between the rename of the file and the removal of the rest.
			// What cannot be removed now a sweep will.
			_ = s.removeUpload(h, id)
		}
		return header, err
	}
	err = json.Unmarshal(raw, &header)
	if err == nil && (header.Version != uploadFormat || header.PartSize < 1) {
		err = fmt.Errorf("format %d, parts of %d bytes", header.Version, header.PartSize)
	}
	if err != nil {
		return header, fmt.Errorf("%s cannot be read: %w", uploadPath(id, uploadHead), err)
	}
	return header, nil
}

// noUpload turns a file that is not there into a definite answer, but only
// while the store's directory is there.
func (s *store) noUpload(h *handle, err error) error {
	if !missing(err) {
		return err
	}
	if err := s.present(h); err != nil {
		return err
	}
	return errNoUpload
}

// flush makes the bytes of a file durable, where the store's settings want it.
func (s *store) flush(f *os.File) error {
	if len(s.commit) > 0 {
		return nil // durability=none
	}
	return f.Sync()
}

// logPart appends a line to the log of an upload. It begins with the end of the
// line before, which a crash may have cut short.
func (s *store) logPart(h *handle, id, line string) error {
	f, err := h.root.OpenFile(uploadPath(id, uploadLog), os.O_WRONLY|os.O_APPEND|noWait, 0)
	if err != nil {
		return s.noUpload(h, err)
	}
	// One write, so that lines of several writers do not mix.
	_, err = f.WriteString("\n" + line + "\n")
	if err == nil {
		err = s.flush(f)
	}
	return errors.Join(err, f.Close())
}

// uploadedParts reads the log. A line that is not whole, as a crash leaves it,
// or that cannot be read, counts for nothing: its part is put again.
func (s *store) uploadedParts(h *handle, id string) (map[int]backend.Part, error) {
	f, err := h.root.OpenFile(uploadPath(id, uploadLog), os.O_RDONLY|noWait, 0)
	if err != nil {
		return nil, s.noUpload(h, err)
	}
	defer f.Close()
	raw, err := io.ReadAll(f)
	if err != nil {
		return nil, err
	}
	return readParts(raw), nil
}

func readParts(raw []byte) map[int]backend.Part {
	out := map[int]backend.Part{}
	for line := range bytes.Lines(raw) {
		fields := strings.Split(strings.TrimSuffix(string(line), "\n"), " ")
		number, err := strconv.Atoi(fields[0])
		if err != nil || number < 1 {
			continue
		}
		delete(out, number) // whatever follows: what was said of it before is over
		if len(fields) != 4 || fields[3] != lineEnd {
			continue
		}
		size, err := strconv.ParseInt(fields[1], 10, 64)
		if err == nil && size >= 0 {
			out[number] = backend.Part{Number: number, Size: size, Checksum: fields[2]}
		}
	}
	return out
}

func byNumber(parts map[int]backend.Part) []backend.Part {
	var out []backend.Part
	for _, p := range parts {
		out = append(out, p)
	}
	slices.SortFunc(out, func(a, b backend.Part) int { return cmp.Compare(a.Number, b.Number) })
	return out
}

// removeUpload removes what there is of an upload.
func (s *store) removeUpload(h *handle, id string) error {
	var errs []error
	for _, kind := range []string{uploadHead, uploadData, uploadLog} {
		if err := h.root.Remove(uploadPath(id, kind)); !missing(err) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// crossesMount reports whether a rename failed because it leads to another
// file system.
func crossesMount(err error) bool { return errors.Is(err, syscall.EXDEV) }

// uploadsOf returns the uploads of a key. A header that cannot be read, or goes
// meanwhile, is that of no upload that anybody could go on with.
func (s *store) uploadsOf(ctx context.Context, h *handle, key string) ([]backend.Upload, error) {
	d, err := h.open(uploadDir, false, true)
	if missing(err) {
		return nil, s.present(h)
	}
	if err != nil {
		return nil, err
	}
	defer d.close()
	var out []backend.Upload
	err = d.names(func(name []byte, kind fs.FileMode) error {
		id, head := strings.CutSuffix(string(name), uploadHead)
		if !head || !kind.IsRegular() {
			return ctx.Err()
		}
		if header, err := s.uploadHeader(h, id); err == nil && header.Key == key {
			out = append(out, backend.Upload{ID: id, Begun: header.Begun})
		}
		return ctx.Err()
	})
	return out, err
}

// sweepUploads removes uploads of which nothing was written since the given
// moment.
func (s *store) sweepUploads(ctx context.Context, h *handle, before time.Time) (int, error) {
	d, err := h.open(uploadDir, false, true)
	if missing(err) {
		return 0, s.present(h)
	}
	if err != nil {
		return 0, err
	}
	defer d.close()
	old := map[string]bool{}
	err = d.names(func(name []byte, kind fs.FileMode) error {
		id := strings.TrimSuffix(string(name), path.Ext(string(name)))
		v, statErr := d.stat(string(name))
		young := statErr != nil || !v.mtime.time().Before(before)
		if was, seen := old[id]; validUpload(id) && kind.IsRegular() {
			old[id] = (was || !seen) && !young
		}
		return ctx.Err()
	})
	n := 0
	for id, gone := range old {
		if err != nil {
			break
		}
		if gone {
			if err = s.removeUpload(h, id); err == nil {
				n++
			}
		}
	}
	if err != nil {
		return n, err
	}
	m, err := s.sweepDir(ctx, h, uploadDir, before, isTemp, nil)
	return n + m, err
}
