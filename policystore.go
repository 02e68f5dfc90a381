package replication

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gofrs/flock"

	"github.com/objrepl/replication/internal/durable"
)

const (
	policiesName     = "policies.json"
	policiesLockName = "policies.lock"
	// policiesWait bounds the wait for another process to end its change,
	// which takes milliseconds.
	policiesWait  = 10 * time.Second
	policiesRetry = 5 * time.Millisecond
	// policiesRacy is the age below which a file's times tell nothing: it may
	// change again within their granularity.
	policiesRacy = 2 * time.Second
)

// A policyStore keeps policies in policies.json of a state directory, which
// several processes may share. Each change reads the file anew and replaces it
// under a lock of its own; readers need no lock, since the file is replaced
// whole. It is safe for concurrent use.
type policyStore struct {
	root *os.Root
	dir  string // of root, absolute, for the lock and for messages
	// isSecret says whether a setting of a driver or named backend is one.
	isSecret func(backendName, setting string) bool

	// change holds a token while a change is under way in this process.
	change chan struct{}

	mu   sync.RWMutex
	file policiesFile // guarded by mu; never changed in place
	info os.FileInfo  // guarded by mu; of the file that was read, nil if unknown or absent
}

// openPolicyStore reads the policies in root. The caller keeps root open
// while the store is in use. A damaged file, or one of a later version, is an
// error and stays as it is.
func openPolicyStore(root *os.Root, isSecret func(backendName, setting string) bool) (*policyStore, error) {
	dir, err := filepath.Abs(root.Name())
	if err != nil {
		return nil, fmt.Errorf("open policy store: %w", err)
	}
	s := &policyStore{root: root, dir: dir, isSecret: isSecret, change: make(chan struct{}, 1)}
	return s, s.load()
}

// load takes up what other processes changed; if they changed nothing, it
// costs one stat. On an error the store goes on with what it had.
func (s *policyStore) load() error {
	info, err := s.root.Stat(policiesName)
	s.mu.RLock()
	same := err == nil && s.info != nil && os.SameFile(info, s.info) &&
		info.Size() == s.info.Size() && info.ModTime().Equal(s.info.ModTime())
	s.mu.RUnlock()
	if same {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	file, info, err := s.read()
	if err == nil {
		s.file, s.info = file, info
	}
	return err
}

// list returns the policies as of the last load or change, by id.
func (s *policyStore) list() []Policy {
	s.mu.RLock()
	defer s.mu.RUnlock()
	out := make([]Policy, len(s.file.policies))
	for i, p := range s.file.policies {
		out[i] = p.clone()
	}
	slices.SortFunc(out, func(a, b Policy) int { return strings.Compare(a.ID, b.ID) })
	return out
}

// get returns one policy as of the last load or change, or
// ErrPolicyNotFound.
func (s *policyStore) get(id string) (Policy, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	i, err := s.file.find(id)
	if err != nil {
		return Policy{}, err
	}
	return s.file.policies[i].clone(), nil
}

// add stores a new policy and reports whether it was new: one that is there
// already, equal in every field, is left alone, and another of the same id is
// ErrPolicyExists. A secret of "***" stands for nothing here and is an error.
func (s *policyStore) add(ctx context.Context, p Policy) (added bool, err error) {
	if err := fillSecrets(&p, Policy{}, s.isSecret); err != nil {
		return false, err
	}
	err = s.mutate(ctx, func(file *policiesFile) (bool, error) {
		if i, err := file.find(p.ID); err == nil {
			if !file.policies[i].equal(p) {
				return false, fmt.Errorf("%w: %q; update it, or choose another id", ErrPolicyExists, p.ID)
			}
			return false, nil
		}
		added = true
		file.policies = append(file.policies, storedPolicy{Policy: p.normalise()})
		return true, nil
	})
	return added && err == nil, err
}

// update replaces the policy of p's id and returns what is now stored, with
// each secret of "***" replaced by the stored one. Unless check is nil, that
// is given to it first, and its error ends the update.
func (s *policyStore) update(ctx context.Context, p Policy, check func(Policy) error) (Policy, error) {
	p = p.normalise()
	err := s.mutate(ctx, func(file *policiesFile) (bool, error) {
		i, err := file.find(p.ID)
		if err != nil {
			return false, err
		}
		old := file.policies[i]
		if err := fillSecrets(&p, old.Policy, s.isSecret); err != nil {
			return false, err
		}
		if check != nil {
			if err := check(p.clone()); err != nil {
				return false, err
			}
		}
		file.policies[i] = storedPolicy{Policy: p, raw: old.raw}
		return !old.equal(p), nil
	})
	if err != nil {
		return Policy{}, err
	}
	return p.clone(), nil
}

// remove removes a policy, or fails with ErrPolicyNotFound.
func (s *policyStore) remove(ctx context.Context, id string) error {
	return s.mutate(ctx, func(file *policiesFile) (bool, error) {
		i, err := file.find(id)
		if err != nil {
			return false, err
		}
		file.policies = slices.Delete(file.policies, i, i+1)
		return true, nil
	})
}

// mutate gives change a copy of what the file now holds and writes it back if
// change says that it is another. On an error the file is as it was, unless
// that wraps durable.ErrNotSynced.
func (s *policyStore) mutate(ctx context.Context, change func(*policiesFile) (changed bool, err error)) error {
	unlock, err := s.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	file, info, err := s.read()
	if err != nil {
		return err
	}
	next := policiesFile{policies: slices.Clone(file.policies), extra: file.extra}
	changed, err := change(&next)
	if err == nil && changed {
		if err = s.write(&next); err == nil {
			file, info = next, nil // the next load reads it once
		}
	}
	s.mu.Lock()
	s.file, s.info = file, info
	s.mu.Unlock()
	return err
}

func (s *policyStore) write(file *policiesFile) error {
	data, err := file.encode()
	if err == nil {
		err = durable.WriteFile(s.root, policiesName, data, 0o600)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", s.path(), err)
	}
	return nil
}

// lock keeps out other goroutines, then other processes. The lock file is
// never removed: whoever waits for it holds it open.
func (s *policyStore) lock(ctx context.Context) (unlock func(), err error) {
	bounded, cancel := context.WithTimeout(ctx, policiesWait)
	defer cancel()
	fail := func(err error) error {
		if ctx.Err() == nil && bounded.Err() != nil {
			err = fmt.Errorf("another change has held it for %v; see which process has the file open", policiesWait)
		}
		return fmt.Errorf("lock %s: %w", filepath.Join(s.dir, policiesLockName), err)
	}
	select {
	case s.change <- struct{}{}:
	case <-bounded.Done():
		return nil, fail(bounded.Err())
	}
	file := flock.New(filepath.Join(s.dir, policiesLockName), flock.SetPermissions(0o600))
	if _, err := file.TryLockContext(bounded, policiesRetry); err != nil {
		_ = file.Close()
		<-s.change
		return nil, fail(err)
	}
	return func() {
		_ = file.Close()
		<-s.change
	}, nil
}

func (s *policyStore) path() string { return filepath.Join(s.dir, policiesName) }
