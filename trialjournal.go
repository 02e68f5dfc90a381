package replication

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/internal/durable"
)

// The names of what is kept of a store's trials, beside its answers.
// docs/FORMAT.md specifies it.
const (
	trialsName    = "trials.json"
	trialLockName = "trial.lock"
	trialsVersion = 1
)

// A trialsFile says what trials have written and not yet removed.
type trialsFile struct {
	Version  int        `json:"version"`
	Location string     `json:"location"`
	Prefixes []string   `json:"prefixes,omitempty"`
	Uploads  []leftover `json:"uploads,omitempty"` // begun under them
}

// A trialJournal keeps the trialsFile of one store, for who holds its lock.
type trialJournal struct {
	state probeState

	mu   sync.Mutex
	file trialsFile // guarded by mu
}

// load returns the prefixes of trials that have not removed what they wrote. A
// file of another version is an error, since what it names would be forgotten.
func (j *trialJournal) load() ([]string, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.file = trialsFile{Version: trialsVersion, Location: j.state.location}
	name := j.state.name(trialsName)
	data, err := j.state.root.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(data, &j.file); err != nil {
		return nil, fmt.Errorf("%s is damaged; see there which prefixes are left in the store, and remove the file: %w", name, err)
	}
	if j.file.Version != trialsVersion {
		return nil, fmt.Errorf("%s has version %d, not %d: it is of another version of this library", name, j.file.Version, trialsVersion)
	}
	return slices.Clone(j.file.Prefixes), nil
}

// begin notes a prefix, durably, before anything is written under it.
func (j *trialJournal) begin(prefix string) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.file.Prefixes = append(j.file.Prefixes, prefix)
	return j.write()
}

// forget takes a prefix under which nothing is left off the journal.
func (j *trialJournal) forget(prefix string) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.file.Prefixes = slices.DeleteFunc(j.file.Prefixes, func(p string) bool { return p == prefix })
	j.file.Uploads = slices.DeleteFunc(j.file.Uploads, func(u leftover) bool { return strings.HasPrefix(u.Key, prefix) })
	return j.write()
}

// uploads returns the keys under a prefix that uploads were begun of, and the ids
// of these that are known.
func (j *trialJournal) uploads(prefix string) map[string][]string {
	j.mu.Lock()
	defer j.mu.Unlock()
	out := map[string][]string{}
	for _, u := range j.file.Uploads {
		if !strings.HasPrefix(u.Key, prefix) {
			continue
		}
		out[u.Key] = append(out[u.Key], u.Upload)
	}
	return out
}

// upload notes an upload, durably: its key before it is begun, and its id.
func (j *trialJournal) upload(u leftover) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if slices.Contains(j.file.Uploads, u) {
		return nil
	}
	j.file.Uploads = append(j.file.Uploads, u)
	return j.write()
}

// write is called with mu held.
func (j *trialJournal) write() error {
	if len(j.file.Prefixes) == 0 {
		err := j.state.root.Remove(j.state.name(trialsName))
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	data, err := json.MarshalIndent(j.file, "", "  ")
	if err != nil {
		return err
	}
	return durable.WriteFile(j.state.root, j.state.name(trialsName), append(data, '\n'), 0o600)
}

// A trialStore notes the uploads that a trial begins.
type trialStore struct {
	backend.Backend
	uploader backend.PartUploader
	journal  *trialJournal
}

func (s trialStore) Unwrap() backend.Backend { return s.Backend }

func (s trialStore) UploadParts(ctx context.Context, key string, opts backend.PartsOptions) (backend.PartUpload, error) {
	if opts.ID != "" {
		return s.uploader.UploadParts(ctx, key, opts)
	}
	if err := s.journal.upload(leftover{Key: key}); err != nil {
		return nil, err
	}
	u, err := s.uploader.UploadParts(ctx, key, opts)
	if err != nil {
		return nil, err
	}
	if err := s.journal.upload(leftover{Key: key, Upload: u.ID()}); err != nil {
		return nil, errors.Join(err, u.Abort(ctx))
	}
	return u, nil
}
