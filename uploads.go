package replication

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/internal/durable"
)

// uploadsDir holds, below a policy's directory, a journal of each upload in
// parts that is not complete, or is about to be begun. docs/FORMAT.md specifies
// them.
const (
	uploadsDir     = "uploads"
	journalVersion = 1
)

// An uploadJournal is what another process needs to go on with an upload, or to
// find it. It is written before the upload is begun, and again when the store
// has named it. The store itself knows which parts it has.
type uploadJournal struct {
	Version     int    `json:"version"`
	Key         string `json:"key"`              // at the destination
	Destination string `json:"destination"`      // Location
	Upload      string `json:"upload,omitempty"` // empty before its beginning was answered
	// UnknownSince and UnknownUntil: uploads whose beginning was asked for
	// between these times, by this machine's clock, may be ours although nobody
	// knows their ids. Zero if there are none.
	UnknownSince time.Time `json:"unknown_since,omitzero"`
	UnknownUntil time.Time `json:"unknown_until,omitzero"`
	PartSize     int64     `json:"part_size"`
	SourceSize   int64     `json:"source_size"`
	SourceTag    string    `json:"source_tag"`
	SourceStamp  string    `json:"source_stamp,omitempty"`
	Operation    string    `json:"operation"` // in the marker
}

func (j uploadJournal) fingerprint() fingerprint {
	return fingerprint{size: j.SourceSize, tag: backend.Tag(j.SourceTag), stamp: j.SourceStamp}
}

// journals is the directory of a policy's journals.
type journals struct{ dir string }

// name is that of a key's journal. Keys can be longer than names.
func (js journals) name(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:]) + ".json"
}

// in calls f with the directory, made if it is missing.
func (js journals) in(f func(root *os.Root) error) error {
	policy, err := os.OpenRoot(js.dir)
	if err != nil {
		return fmt.Errorf("upload journal: %w", err)
	}
	defer policy.Close()
	err = durable.MkdirAll(policy, uploadsDir, 0o700)
	if err == nil {
		err = f(policy)
	}
	if err != nil {
		return fmt.Errorf("upload journal: %w", err)
	}
	return nil
}

// write makes a journal durable.
func (js journals) write(j uploadJournal) error {
	j.Version = journalVersion
	raw, err := json.Marshal(j)
	if err != nil {
		return err
	}
	return js.in(func(root *os.Root) error {
		return durable.WriteFile(root, path.Join(uploadsDir, js.name(j.Key)), append(raw, '\n'), 0o600)
	})
}

// read returns the journal of a key, if there is one that can be read.
func (js journals) read(key string) (j uploadJournal, found bool, err error) {
	err = js.in(func(root *os.Root) error {
		raw, err := root.ReadFile(path.Join(uploadsDir, js.name(key)))
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		found = json.Unmarshal(raw, &j) == nil && j.Version == journalVersion && j.Key == key && j.PartSize > 0
		return nil
	})
	return j, found, err
}

// remove forgets an upload.
func (js journals) remove(key string) error {
	return js.in(func(root *os.Root) error { return removeIfThere(root, path.Join(uploadsDir, js.name(key))) })
}

func removeIfThere(root *os.Root, name string) error {
	if err := root.Remove(name); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// all calls f, which may write and remove them, for every journal, and removes
// files that are none.
func (js journals) all(f func(j uploadJournal, written time.Time)) error {
	if _, err := os.Lstat(path.Join(js.dir, uploadsDir)); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return js.in(func(root *os.Root) error {
		entries, err := fs.ReadDir(root.FS(), uploadsDir)
		if err != nil {
			return err
		}
		var errs []error
		for _, e := range entries {
			name := path.Join(uploadsDir, e.Name())
			raw, err := root.ReadFile(name)
			info, infoErr := e.Info()
			if err := errors.Join(err, infoErr); err != nil {
				errs = append(errs, err)
				continue
			}
			var j uploadJournal
			switch {
			case strings.HasPrefix(e.Name(), durable.TempPrefix), json.Unmarshal(raw, &j) != nil:
				errs = append(errs, removeIfThere(root, name))
			case j.Version == journalVersion:
				f(j, info.ModTime())
			}
		}
		return errors.Join(errs...)
	})
}
