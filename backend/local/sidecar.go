package local

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"path"
	"strings"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/internal/durable"
)

// A sidecar holds the metadata of one version where the file cannot. Its name
// is made of key and tag, so that those of the old and of the new version lie
// side by side while one replaces the other: it is written before the file
// gets its name and removed after the next one got its own. A reader at any
// moment, or after a crash at any moment, finds the one of the version it sees
// or none. The key is hashed, since a tree of keys would have a file "a" stand
// in the way of a key "a/b", and names would grow past what a directory takes.
type sidecar struct {
	Key    string      `json:"key"`
	Tag    backend.Tag `json:"tag"`
	Record record      `json:"meta"`
}

// sidecarDir spreads the sidecars of a store over 256 directories.
func sidecarPath(key string, tag backend.Tag) string {
	sum := sha256.Sum256([]byte(key))
	name := hex.EncodeToString(sum[:])
	return metaDir + "/" + name[:2] + "/" + name[2:] + "-" + string(tag) + ".json"
}

// sidecar reads the metadata of version v, or an empty record.
func (s *store) sidecar(h *handle, key string, v version) (record, error) {
	tag := v.tag()
	name := sidecarPath(key, tag)
	b, err := readSmall(h, name)
	if missing(err) {
		return record{}, nil
	}
	if err != nil {
		return record{}, err
	}
	c, err := decodeSidecar(b, name)
	if err != nil {
		return record{}, err
	}
	if c.Key != key || c.Tag != tag {
		return record{}, nil
	}
	return c.Record, nil
}

func decodeSidecar(b []byte, name string) (sidecar, error) {
	var raw struct {
		sidecar
		Record json.RawMessage `json:"meta"`
	}
	if err := json.Unmarshal(b, &raw); err != nil || len(raw.Record) == 0 {
		return sidecar{}, &classified{class: backend.ErrInvalidMetadata, cause: name + " is not readable",
			hint: "remove it to lose the metadata of one object and keep the object"}
	}
	r, err := decodeRecord(raw.Record, name)
	return sidecar{Key: raw.Key, Tag: raw.Tag, Record: r}, err
}

// writeSidecar stores record for the version of key that tag names.
func (s *store) writeSidecar(h *handle, key string, tag backend.Tag, raw []byte) error {
	b, err := json.Marshal(struct {
		Key    string          `json:"key"`
		Tag    backend.Tag     `json:"tag"`
		Record json.RawMessage `json:"meta"`
	}{key, tag, raw})
	if err != nil {
		return err
	}
	name := sidecarPath(key, tag)
	if err := s.ensureDir(h, path.Dir(name)); err != nil {
		return err
	}
	f, err := durable.Create(h.root, path.Dir(name))
	if err != nil {
		return err
	}
	defer f.Abort()
	if _, err := f.Write(b); err != nil {
		return err
	}
	if err := f.Commit(name, s.commit...); err != nil {
		return err
	}
	return s.settleParents(h, name)
}

// dropSidecar removes the sidecar of a version that is gone. One that stays
// behind names a version that no longer exists, so it is never read; Sweep
// removes it.
func (s *store) dropSidecar(h *handle, key string, tag backend.Tag) {
	name := sidecarPath(key, tag)
	if d, err := h.open(path.Dir(name), false, false); err == nil {
		_ = d.unlink(path.Base(name))
		d.close()
	}
}

// readSmall reads a file of this package's own, which is never large.
func readSmall(h *handle, name string) ([]byte, error) {
	d, err := h.open(path.Dir(name), false, false)
	if err != nil {
		return nil, err
	}
	defer d.close()
	f, _, err := d.openFile(path.Base(name))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, int64(maxRecord+6*maxPath+1024)))
}

// staleSidecar reports whether the sidecar in name belongs to no version that
// is there. What it cannot read it leaves alone.
func (s *store) staleSidecar(h *handle, name string) (key string, stale bool) {
	if !strings.HasSuffix(name, ".json") {
		return "", false
	}
	b, err := readSmall(h, name)
	if err != nil {
		return "", false
	}
	c, err := decodeSidecar(b, name)
	if err != nil || s.checkKey(c.Key) != nil {
		return "", false
	}
	v, err := s.look(h, c.Key)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, backend.ErrNotRegular):
		return c.Key, true
	case err != nil:
		return c.Key, false
	}
	return c.Key, sidecarPath(c.Key, v.tag()) != name
}
