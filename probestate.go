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
	"path/filepath"
	"runtime/debug"
	"sync"
	"time"

	"github.com/gofrs/flock"

	"github.com/objrepl/replication/internal/durable"
)

// probesDir holds, below the state directory, what each store answered.
// docs/FORMAT.md specifies it.
const (
	probesDir    = "probes"
	probeVersion = 1
	// probeAge is how long an answer holds: servers are upgraded.
	probeAge = 7 * 24 * time.Hour
	// probeWait bounds how long one process waits for another's probe.
	probeWait = time.Minute
)

// answers are what one probe found out, and when.
type answers struct {
	Asked    time.Time `json:"asked"`
	Library  string    `json:"library"` // that asked
	Put      guard     `json:"put,omitzero"`
	Delete   guard     `json:"delete,omitzero"`
	Complete guard     `json:"complete,omitzero"`
	Bulk     guard     `json:"bulk_delete,omitzero"`
	Copy     guard     `json:"copy,omitzero"`       // of the target
	From     answer    `json:"copy_from,omitempty"` // the version copied
}

// fresh reports whether the answers still hold.
func (a answers) fresh(now time.Time) bool {
	age := now.Sub(a.Asked)
	return age >= 0 && age < probeAge && a.Library == libraryVersion()
}

// A probeFile is what is kept of one store.
type probeFile struct {
	Version  int        `json:"version"`
	Location string     `json:"location"`
	Objects  answers    `json:"objects,omitzero"`
	Parts    answers    `json:"parts,omitzero"`
	Bulk     answers    `json:"bulk,omitzero"`
	Copies   answers    `json:"copies,omitzero"`
	Left     []leftover `json:"left,omitempty"`
}

// probeState is the file of one store. Its methods but lock and read are for
// who holds its lock.
type probeState struct {
	root     *os.Root // the state directory
	location string
}

// name is that of a file in the store's own directory, and of that itself if it
// is empty.
func (s probeState) name(file string) string {
	sum := sha256.Sum256([]byte(s.location))
	return path.Join(probesDir, hex.EncodeToString(sum[:]), file)
}

const (
	answersName   = "answers.json"
	probeLockName = "lock"
)

// unfinished returns what processes that were killed have left of writing it.
func (s probeState) unfinished() []string {
	names, _ := fs.Glob(s.root.FS(), s.name(durable.TempPrefix+"*")) // the pattern is good
	return names
}

// read returns what is kept. A file that cannot be read as one of this version
// is as good as none: the store is then asked again.
func (s probeState) read() (probeFile, error) {
	none := probeFile{Version: probeVersion, Location: s.location}
	data, err := s.root.ReadFile(s.name(answersName))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return none, nil
	case err != nil:
		return none, err
	}
	var f probeFile
	if json.Unmarshal(data, &f) != nil || f.Version != probeVersion || f.Location != s.location {
		return none, nil
	}
	return f, nil
}

func (s probeState) write(f probeFile) error {
	data, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return err
	}
	return durable.WriteFile(s.root, s.name(answersName), append(data, '\n'), 0o600)
}

// lock keeps a store to one probe at a time, of any process, and waits at most
// so long for others.
func (s probeState) lock(ctx context.Context, wait time.Duration) (unlock func() error, err error) {
	return s.lockFile(ctx, probeLockName, wait)
}

func (s probeState) lockFile(ctx context.Context, name string, wait time.Duration) (unlock func() error, err error) {
	if err := durable.MkdirAll(s.root, s.name(""), 0o700); err != nil {
		return nil, err
	}
	lock := flock.New(filepath.Join(s.root.Name(), filepath.FromSlash(s.name(name))), flock.SetPermissions(0o600))
	waiting, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	ok, err := lock.TryLockContext(waiting, 20*time.Millisecond)
	switch {
	case ctx.Err() != nil:
		err = errors.Join(ctx.Err(), lock.Close())
	case !ok && (err == nil || errors.Is(err, context.DeadlineExceeded)):
		err = errors.Join(errProbed, lock.Close())
	case err != nil:
		err = errors.Join(fmt.Errorf("lock the answers of %s: %w", s.location, err), lock.Close())
	default:
		return lock.Close, nil
	}
	return nil, err
}

// errProbed: another process holds the lock.
var errProbed = errors.New("another process is asking the store")

// libraryVersion names the version of this library, as far as the program that
// it is part of knows it.
var libraryVersion = sync.OnceValue(func() string {
	const module = "github.com/objrepl/replication"
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, m := range append(info.Deps, &info.Main) {
		if m.Path == module {
			return m.Version
		}
	}
	return ""
})
