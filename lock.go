package replication

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"

	"github.com/objrepl/replication/internal/durable"
)

// A policyLock keeps a policy to one writer on this machine. The operating
// system drops it with the process that held it.
type policyLock struct {
	flock *flock.Flock
}

// A holder describes who has a lock, for display only: what counts is the lock.
type holder struct {
	PID   int       `json:"pid"`
	Host  string    `json:"host"`
	Since time.Time `json:"since"`
}

const (
	lockName   = "lock"
	holderName = "holder.json"
)

// lockPolicy takes the lock in a policy's directory, or fails with a
// *LockedError that names the holder.
func lockPolicy(root *os.Root, id string) (*policyLock, error) {
	lock := flock.New(filepath.Join(root.Name(), lockName), flock.SetPermissions(0o600))
	ok, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("lock policy %q: %w", id, err)
	}
	if !ok {
		return nil, &LockedError{PolicyID: id, Holder: readHolder(root)}
	}
	data, err := json.Marshal(thisProcess())
	if err == nil {
		err = durable.WriteFile(root, holderName, data, 0o600)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock policy %q: %w", id, err), lock.Close())
	}
	return &policyLock{flock: lock}, nil
}

func readHolder(root *os.Root) string {
	data, err := root.ReadFile(holderName)
	var h holder
	if err != nil || json.Unmarshal(data, &h) != nil {
		return "another process"
	}
	return h.String()
}

// thisProcess describes the calling process.
func thisProcess() holder {
	host, _ := os.Hostname() // empty is as good
	return holder{PID: os.Getpid(), Host: host, Since: time.Now().UTC()}
}

func (h holder) String() string {
	return fmt.Sprintf("process %d on %s since %s", h.PID, h.Host, h.Since.Format(time.RFC3339))
}

// unlock releases the lock. The file stays: removing it could take a lock away
// that somebody else has just got.
func (l *policyLock) unlock() error { return l.flock.Close() }
