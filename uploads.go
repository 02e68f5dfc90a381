package replication

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"time"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/internal/durable"
)

// uploadsDir holds, below a policy's directory, a journal of each upload in
// parts that is not complete. docs/FORMAT.md specifies them.
const (
	uploadsDir     = "uploads"
	journalVersion = 1
)

// journalAge is how long a journal stays at most when its object keeps failing.
const journalAge = 30 * 24 * time.Hour

// An uploadJournal is what another process needs to go on with an upload. The
// store itself knows which parts it has.
type uploadJournal struct {
	Version     int    `json:"version"`
	Key         string `json:"key"`         // at the destination
	Destination string `json:"destination"` // Location
	Upload      string `json:"upload"`
	PartSize    int64  `json:"part_size"`
	SourceSize  int64  `json:"source_size"`
	SourceTag   string `json:"source_tag"`
	SourceStamp string `json:"source_stamp,omitempty"`
	Operation   string `json:"operation"` // in the marker
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
		found = json.Unmarshal(raw, &j) == nil && j.Version == journalVersion && j.Key == key && j.Upload != "" && j.PartSize > 0
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

// all calls f for every journal and removes those that it says are done with,
// and files that are none.
func (js journals) all(f func(j uploadJournal, written time.Time) (done bool)) error {
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
			done := json.Unmarshal(raw, &j) != nil // say, a temporary file
			if !done && j.Version == journalVersion {
				done = f(j, info.ModTime())
			}
			if done {
				errs = append(errs, removeIfThere(root, name))
			}
		}
		return errors.Join(errs...)
	})
}

// sweepUploads aborts the uploads that nobody will go on with: after a scan
// without failures that is all of them, since every object is where it
// belongs. What cannot be aborted now is left to the next pass.
func (p *pass) sweepUploads(ctx context.Context) {
	settled := p.failures.count() == 0
	err := p.parts.journals.all(func(j uploadJournal, written time.Time) bool {
		if ctx.Err() != nil || !settled && time.Since(written) < journalAge {
			return false
		}
		return p.abandon(ctx, j)
	})
	if err != nil {
		p.log.Warn("could not look for unfinished uploads", "policy", p.policy.ID, "error", err)
	}
}

// abandon aborts an upload and reports whether it is gone. The journal of one
// in a store that this policy no longer writes to is of no use.
func (p *pass) abandon(ctx context.Context, j uploadJournal) bool {
	if p.parts.uploader == nil || j.Destination != p.destination.props.Location {
		p.log.Warn("an unfinished upload stays in a store that the policy no longer writes to; remove it there",
			"policy", p.policy.ID, "store", j.Destination, "key", j.Key, "upload", j.Upload)
		return true
	}
	err := p.again.call(ctx, func() error {
		u, err := p.parts.uploader.UploadParts(ctx, j.Key, backend.PartsOptions{ID: j.Upload, PartSize: j.PartSize})
		if err == nil {
			err = u.Abort(ctx)
		}
		return err
	})
	if err != nil && !absent(err) {
		p.log.Warn("could not abort an unfinished upload; the next pass tries again",
			"policy", p.policy.ID, "key", j.Key, "upload", j.Upload, "error", err)
		return false
	}
	return true
}
