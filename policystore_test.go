package replication

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gofrs/flock"
	"github.com/stretchr/testify/require"
)

func openTestStore(t *testing.T, dir string) (*policyStore, error) {
	t.Helper()
	root, err := os.OpenRoot(dir)
	require.NoError(t, err)
	t.Cleanup(func() { root.Close() })
	return openPolicyStore(root, testSecret)
}

func newTestStore(t *testing.T, dir string) *policyStore {
	t.Helper()
	s, err := openTestStore(t, dir)
	require.NoError(t, err)
	return s
}

func addPolicies(t *testing.T, s *policyStore, policies ...Policy) {
	t.Helper()
	for _, p := range policies {
		added, err := s.add(t.Context(), p)
		require.NoError(t, err)
		require.True(t, added)
	}
}

func TestPoliciesSurviveReopening(t *testing.T) {
	dir := t.TempDir()
	s := newTestStore(t, dir)
	require.Empty(t, s.list())
	addPolicies(t, s, smallPolicy("b"), fullPolicy(), smallPolicy("a"))

	s = newTestStore(t, dir)
	require.Equal(t, []Policy{smallPolicy("a"), smallPolicy("b"), fullPolicy()}, s.list())
	p, err := s.get("dr/photos")
	require.NoError(t, err)
	require.Equal(t, fullPolicy(), p)

	require.NoError(t, s.remove(t.Context(), "a"))
	require.Len(t, newTestStore(t, dir).list(), 2)
}

func TestPoliciesFileIsPrivate(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no such modes")
	}
	dir := t.TempDir()
	addPolicies(t, newTestStore(t, dir), smallPolicy("a"))
	for _, name := range []string{policiesName, policiesLockName} {
		info, err := os.Stat(filepath.Join(dir, name))
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode().Perm(), name)
	}
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 2, "no temporary file stays")
}

func TestWhatTheStoreReturnsIsTheCallers(t *testing.T) {
	s := newTestStore(t, t.TempDir())
	given := smallPolicy("a")
	addPolicies(t, s, given)
	given.SourceSettings["bucket"] = "changed"
	s.list()[0].SourceSettings["bucket"] = "changed"
	p, err := s.get("a")
	require.NoError(t, err)
	p.SourceSettings["bucket"] = "changed"
	require.Equal(t, []Policy{smallPolicy("a")}, s.list())
}

func TestAddingAnEqualPolicyDoesNothing(t *testing.T) {
	dir := t.TempDir()
	s := newTestStore(t, dir)
	addPolicies(t, s, smallPolicy("a"))
	before, err := os.Stat(s.path())
	require.NoError(t, err)

	equal := smallPolicy("a")
	equal.Include = []string{}
	added, err := s.add(t.Context(), equal)
	require.NoError(t, err)
	require.False(t, added)
	after, err := os.Stat(s.path())
	require.NoError(t, err)
	require.True(t, os.SameFile(before, after), "nothing is written")

	other := smallPolicy("a")
	other.SourcePrefix = "x"
	added, err = s.add(t.Context(), other)
	require.ErrorIs(t, err, ErrPolicyExists)
	require.ErrorContains(t, err, `"a"`)
	require.False(t, added)
}

func TestMissingPoliciesAreNotFound(t *testing.T) {
	s := newTestStore(t, t.TempDir())
	addPolicies(t, s, smallPolicy("documents"))
	_, err := s.get("document")
	require.EqualError(t, err, `policy not found: document; did you mean "documents"?`)
	_, err = s.update(t.Context(), smallPolicy("x"), nil)
	require.ErrorIs(t, err, ErrPolicyNotFound)
	require.ErrorIs(t, s.remove(t.Context(), "x"), ErrPolicyNotFound)
	require.Len(t, s.list(), 1)
}

func TestUpdateReplacesAllButRedactedSecrets(t *testing.T) {
	dir := t.TempDir()
	s := newTestStore(t, dir)
	addPolicies(t, s, smallPolicy("a"))

	p := smallPolicy("a")
	p.SourceSettings = map[string]string{"bucket": "***", "secret_key": "***"} // the bucket is no secret, and is meant
	p.Deletes = KeepDeleted
	want := p.clone()
	want.SourceSettings["secret_key"] = canary
	var checked Policy
	got, err := s.update(t.Context(), p, func(p Policy) error { checked = p; return nil })
	require.NoError(t, err)
	require.Equal(t, want, got)
	require.Equal(t, want, checked, "what is checked has its secrets")
	require.Equal(t, "***", p.SourceSettings["secret_key"], "the caller's map stays")
	stored, err := newTestStore(t, dir).get("a")
	require.NoError(t, err)
	require.Equal(t, want, stored)

	_, err = s.update(t.Context(), smallPolicy("a"), func(Policy) error { return errors.New("no") })
	require.EqualError(t, err, "no")
	stored, err = s.get("a")
	require.NoError(t, err)
	require.Equal(t, want, stored)
}

func TestAsterisksThatStandForNothingAreRefused(t *testing.T) {
	s := newTestStore(t, t.TempDir())
	p := smallPolicy("a")
	p.SourceSettings["secret_key"] = "***"
	_, err := s.add(t.Context(), p)
	requireFaults(t, err, `policy "a": source_settings: setting "secret_key" is "***"`)

	addPolicies(t, s, smallPolicy("a"))
	p = smallPolicy("a")
	p.DestinationSettings["secret_key"] = "***"
	_, err = s.update(t.Context(), p, nil)
	requireFaults(t, err, `policy "a": destination_settings: setting "secret_key" is "***"`)

	p = smallPolicy("a")
	p.SourceBackend = "elsewhere"
	p.SourceSettings["secret_key"] = "***"
	_, err = s.update(t.Context(), p, nil)
	requireFaults(t, err, `source_settings: setting "secret_key" is "***"`)
	require.Equal(t, []Policy{smallPolicy("a")}, s.list())
}

func TestLoadShowsWhatOtherProcessesChanged(t *testing.T) {
	dir := t.TempDir()
	one, two := newTestStore(t, dir), newTestStore(t, dir)
	addPolicies(t, one, smallPolicy("a"))
	require.Empty(t, two.list())
	require.NoError(t, two.load())
	require.Len(t, two.list(), 1)

	// A change works on the file, not on what this process remembers.
	addPolicies(t, two, smallPolicy("b"))
	_, err := one.add(t.Context(), smallPolicy("c"))
	require.NoError(t, err)
	require.Len(t, one.list(), 3)
	require.NoError(t, one.remove(t.Context(), "b"))
	_, err = two.update(t.Context(), smallPolicy("b"), nil)
	require.ErrorIs(t, err, ErrPolicyNotFound)

	require.NoError(t, os.Remove(one.path()))
	require.NoError(t, one.load())
	require.Empty(t, one.list())
}

func TestAnUnchangedOldFileIsNotReadAgain(t *testing.T) {
	s := newTestStore(t, t.TempDir())
	addPolicies(t, s, smallPolicy("a"))
	require.NoError(t, s.load())
	require.Nil(t, s.info, "a young file may still change within its timestamp")
	old := time.Now().Add(-time.Hour)
	require.NoError(t, os.Chtimes(s.path(), old, old))
	require.NoError(t, s.load())
	require.NotNil(t, s.info)
	s.file.policies = nil // would come back if the file were read
	require.NoError(t, s.load())
	require.Empty(t, s.list())
	now := time.Now()
	require.NoError(t, os.Chtimes(s.path(), now, now))
	require.NoError(t, s.load())
	require.Len(t, s.list(), 1)
}

func TestChangesOfManyGoroutinesAllStay(t *testing.T) {
	dir := t.TempDir()
	stores := []*policyStore{newTestStore(t, dir), newTestStore(t, dir)}
	var group sync.WaitGroup
	errs := make(chan error, 40)
	for i := range 40 {
		group.Go(func() {
			_, err := stores[i%2].add(t.Context(), smallPolicy(fmt.Sprint(i)))
			errs <- err
			stores[i%2].list()
			_ = stores[i%2].load()
		})
	}
	group.Wait()
	for range 40 {
		require.NoError(t, <-errs)
	}
	require.Len(t, newTestStore(t, dir).list(), 40)
}

func TestWaitingForTheLockEndsWithTheContext(t *testing.T) {
	s := newTestStore(t, t.TempDir())
	held := flock.New(filepath.Join(s.dir, policiesLockName))
	require.NoError(t, held.Lock())
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	_, err := s.add(ctx, smallPolicy("a"))
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorContains(t, err, policiesLockName)

	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, s.remove(cancelled, "a"), context.Canceled)
	require.NoError(t, held.Unlock())
	addPolicies(t, s, smallPolicy("a"))
}

func TestAFailedWriteChangesNothing(t *testing.T) {
	if os.Getuid() == 0 || runtime.GOOS == "windows" {
		// A directory in the way fails for root too.
		dir := t.TempDir()
		s := newTestStore(t, dir)
		require.NoError(t, os.Mkdir(s.path(), 0o700))
		_, err := s.add(t.Context(), smallPolicy("a"))
		require.ErrorContains(t, err, "not a regular file")
		require.ErrorContains(t, err, s.path())
		require.Empty(t, s.list())
		return
	}
	dir := t.TempDir()
	s := newTestStore(t, dir)
	addPolicies(t, s, smallPolicy("a"))
	require.NoError(t, os.Chmod(dir, 0o500))
	defer os.Chmod(dir, 0o700)
	_, err := s.add(t.Context(), smallPolicy("b"))
	require.ErrorIs(t, err, os.ErrPermission)
	require.Len(t, s.list(), 1)
}

func TestNoStoreErrorHoldsASecret(t *testing.T) {
	s := newTestStore(t, t.TempDir())
	addPolicies(t, s, smallPolicy("a"))
	data, err := os.ReadFile(s.path())
	require.NoError(t, err)
	for cut := range len(data) {
		require.NoError(t, os.WriteFile(s.path(), data[:cut], 0o600))
		if err := s.load(); err != nil {
			require.NotContains(t, err.Error(), canary)
		} else {
			require.Equal(t, strings.TrimSpace(string(data)), string(data[:cut]), "only the final newline may be missing")
		}
	}
}
