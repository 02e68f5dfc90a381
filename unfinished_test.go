package replication

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/memory"
)

func (h *hooked) ListUploads(ctx context.Context, key string) ([]backend.Upload, error) {
	if err := h.note("uploads", key); err != nil {
		return nil, err
	}
	out, err := h.Store.ListUploads(ctx, key)
	return out, h.done("uploads", key, err)
}

// A moment is one of a pass: when a call to the destination is about to be made,
// or has been made and its answer is on its way.
type moment struct {
	op       string
	answered bool
}

func (m moment) String() string {
	if m.answered {
		return "after " + m.op
	}
	return "before " + m.op
}

// moments are those of an upload: after the intent, after the beginning, after
// the id was written down, between parts, and around the end.
func moments(more ...string) (out []moment) {
	for _, op := range append([]string{"begin", "part 1", "part 6", "part 11", "complete"}, more...) {
		out = append(out, moment{op, false}, moment{op, true})
	}
	return out
}

var errDead = errors.New("the process is dead")

// dieAt runs a pass that dies at a moment: from then on no call reaches a store,
// and nothing that is written to disk lasts. It goes on as a new process, and
// reports whether the moment came.
func (w *world) dieAt(at moment) (died bool) {
	w.t.Helper()
	state := filepath.Join(w.t.TempDir(), "state")
	var dead atomic.Bool
	var once sync.Once
	die := func(op string, answered bool) error {
		if (moment{op, answered}) == at {
			once.Do(func() {
				// What lasts is what the disk had at this moment.
				if err := copyDir(state, w.r.config.stateDir); err != nil {
					w.t.Error(err)
				}
				dead.Store(true)
			})
		}
		if dead.Load() {
			return errDead
		}
		return nil
	}
	w.destination.before = func(op, _ string) error { return die(op, false) }
	w.destination.after = func(op, _ string) error { return die(op, true) }
	w.source.before = func(string, string) error { return die("", false) }
	_, err := w.sync()
	w.destination.before, w.destination.after, w.source.before = nil, nil, nil
	if !dead.Load() {
		require.NoError(w.t, err)
		return false
	}
	w.restart(state)
	w.smallParts()
	return true
}

// copyDir copies a directory but for what goes meanwhile.
func copyDir(to, from string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return gone(err)
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			return os.MkdirAll(filepath.Join(to, rel), 0o700)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return gone(err)
		}
		return os.WriteFile(filepath.Join(to, rel), data, 0o600)
	})
}

func gone(err error) error {
	if absent(err) {
		return nil
	}
	return err
}

func TestNoMomentOfDeathLeavesAnUpload(t *testing.T) {
	for _, at := range moments() {
		t.Run(at.String(), func(t *testing.T) {
			w := newPartsWorld(t)
			w.put(w.source, "big", large("abcdefg"))
			require.True(t, w.dieAt(at))
			w.mustSync()
			w.requireEqual()
			w.requireNoUploads()
			w.requireQuiet()
		})
	}
}

// What a process that died leaves is as well cleared by one that dies in turn.
func TestNoTwoMomentsOfDeathLeaveAnUpload(t *testing.T) {
	for _, first := range moments() {
		for _, second := range moments("uploads", "abort", "resume") {
			t.Run(first.String()+", "+second.String(), func(t *testing.T) {
				t.Parallel()
				w := newPartsWorld(t)
				w.put(w.source, "big", large("abcdefg"))
				w.dieAt(first)
				w.dieAt(second)
				w.mustSync()
				w.requireEqual()
				w.requireNoUploads()
				w.requireQuiet()
			})
		}
	}
}

// A source that changed, or is gone, makes what a process left of no use.
func TestNoMomentOfDeathLeavesAnUploadOfAVersionThatIsGone(t *testing.T) {
	for name, change := range map[string]func(w *world){
		"replaced": func(w *world) { w.put(w.source, "big", large("after!")) },
		"shrunk":   func(w *world) { w.put(w.source, "big", "small now") },
		"removed":  func(w *world) { w.remove(w.source, "big") },
	} {
		for _, at := range moments() {
			t.Run(name+" "+at.String(), func(t *testing.T) {
				w := newPartsWorld(t)
				w.put(w.source, "a", "not empty")
				w.put(w.source, "big", large("before"))
				require.True(t, w.dieAt(at))
				change(w)
				w.mustSync(ForceDeletes())
				w.requireEqual()
				w.requireNoUploads()
			})
		}
	}
}

// The request of a killed process can be on its way for a while, and begin an
// upload when the next pass has already asked for what there is.
func TestAnUploadThatIsBegunAfterThePassIsAbortedByALaterOne(t *testing.T) {
	w := newPartsWorld(t)
	w.put(w.source, "big", large("abcdefg"))
	require.True(t, w.dieAt(moment{"begin", false}))
	w.r.late = time.Hour
	w.mustSync()
	w.requireEqual()
	for range 2 {
		_, err := w.destination.Store.UploadParts(t.Context(), "big", backend.PartsOptions{PartSize: 100})
		require.NoError(t, err)
		w.destination.calls()
		w.mustSync()
		require.Empty(t, w.destination.Uploads())
		calls := slices.Compact(uploadCalls(w.destination))
		require.Equal(t, []string{"abort", "resume", "uploads"}, calls, "and nothing else")
	}
	w.r.late = 0
	w.mustSync()
	w.requireNoUploads()
	w.requireQuiet()
}

// journal reads the journal of the large object.
func (w *world) journal() (uploadJournal, bool) {
	w.t.Helper()
	state, err := w.r.readPolicyState(w.t.Context(), "p")
	require.NoError(w.t, err)
	defer state.Close()
	j, found, err := journals{state}.read(w.t.Context(), "big")
	require.NoError(w.t, err)
	return j, found
}

// The last attempt says until when to ask.
func TestEachAttemptToBeginIsWrittenDownBefore(t *testing.T) {
	w := newPartsWorld(t)
	w.put(w.source, "big", large("abcdefg"))
	var attempts []uploadJournal
	w.destination.before = func(op, _ string) error {
		if op != "begin" {
			return nil
		}
		j, found := w.journal()
		assert.True(t, found)
		if attempts = append(attempts, j); len(attempts) == 3 {
			return nil
		}
		return backend.ErrUnavailable
	}
	w.mustSync()
	require.Len(t, attempts, 3)
	for i, j := range attempts {
		require.Equal(t, attempts[0].UnknownSince, j.UnknownSince)
		require.True(t, i == 0 || j.UnknownUntil.After(attempts[i-1].UnknownUntil), "%d: %v", i, j)
	}
}

// An object that is copied often must not have the store asked for ever.
func TestACopyThatIsAnsweredDoesNotProlongTheSearch(t *testing.T) {
	w := newPartsWorld(t)
	w.put(w.source, "big", large("abcdefg"))
	require.True(t, w.dieAt(moment{"begin", true}))
	died, found := w.journal()
	require.True(t, found)
	w.r.late = time.Hour
	for _, content := range []string{"abcdefg", "after"} {
		w.put(w.source, "big", large(content))
		w.mustSync()
		w.requireEqual()
		now, found := w.journal()
		require.True(t, found)
		require.Empty(t, now.Upload)
		require.Equal(t, died.UnknownUntil, now.UnknownUntil)
	}
	w.r.late = 0
	w.put(w.source, "big", large("at last"))
	w.mustSync()
	w.requireNoUploads()
}

// A journal that outlives its upload does not name it any more.
func TestAJournalThatStaysNamesNoUploadThatIsComplete(t *testing.T) {
	w := newPartsWorld(t)
	w.put(w.source, "big", large("abcdefg"))
	require.True(t, w.dieAt(moment{"begin", true}))
	require.True(t, w.dieAt(moment{"complete", true}))
	j, found := w.journal()
	require.True(t, found)
	require.NotEmpty(t, j.Upload)
	w.r.late = time.Hour
	w.mustSync()
	j, found = w.journal()
	require.True(t, found)
	require.Empty(t, j.Upload)
	require.Empty(t, w.destination.Uploads())
}

// Only what has the name of its key is a journal.
func TestWhatIsNoJournalIsRemoved(t *testing.T) {
	w := newPartsWorld(t)
	w.put(w.source, "big", large("abcdefg"))
	require.True(t, w.dieAt(moment{"part 6", false}))
	j, _ := w.journal()
	state := &policyState{Backend: memory.NewBackend()}
	js := journals{state}
	require.NoError(t, js.write(t.Context(), j))
	raw, _, err := state.read(t.Context(), js.name("big"))
	require.NoError(t, err)
	require.NoError(t, state.write(t.Context(), uploadsDir+"/other.json", raw))
	require.NoError(t, state.write(t.Context(), uploadsDir+"/torn.json", raw[:10]))
	seen := 0
	require.NoError(t, js.all(t.Context(), func(got uploadJournal, _ time.Time) {
		require.Equal(t, j, got)
		seen++
	}))
	require.Equal(t, 1, seen)
	left, err := state.list(t.Context(), "")
	require.NoError(t, err)
	require.Len(t, left, 1)
}

// Where no beginning went unanswered nothing is asked later.
func TestACopyInPartsLeavesNoJournal(t *testing.T) {
	w := newPartsWorld(t)
	w.r.late = time.Hour
	w.put(w.source, "big", large("abcdefg"))
	w.mustSync()
	w.requireNoUploads()
	w.requireQuiet()
}

func TestLostAnswersToTheBeginningLeaveNoUpload(t *testing.T) {
	for lost := range 4 {
		t.Run(fmt.Sprint(lost), func(t *testing.T) {
			w := newPartsWorld(t)
			w.put(w.source, "big", large("abcdefg"))
			var begun atomic.Int64
			w.destination.after = func(op, _ string) error {
				if op == "begin" && begun.Add(1) <= int64(lost) {
					return backend.ErrUnavailable
				}
				return nil
			}
			_, err := w.sync()
			w.destination.after = nil
			calls := uploadCalls(w.destination)
			require.Equal(t, lost > 0 && lost < 3, slices.Contains(calls, "uploads"), "they are asked for where one may be lost")
			if lost == 3 { // all attempts of the tests' retrier
				require.ErrorIs(t, err, backend.ErrUnavailable)
				require.Len(t, w.destination.Uploads(), 3)
				w.restartParts()
				_, err = w.sync()
			}
			require.NoError(t, err)
			w.requireEqual()
			w.requireNoUploads()
		})
	}
}

func TestABeginningThatIsRefusedLeavesNoJournal(t *testing.T) {
	w := newPartsWorld(t)
	w.put(w.source, "big", large("abcdefg"))
	w.destination.before = func(op, _ string) error {
		if op == "begin" {
			return fs.ErrPermission
		}
		return nil
	}
	_, err := w.sync()
	require.ErrorIs(t, err, fs.ErrPermission)
	w.destination.before = nil
	w.requireNoUploads()
	require.NotContains(t, uploadCalls(w.destination), "uploads")
}

// A list that fails is asked for by the next pass again.
func TestUploadsThatCannotBeListedNowAreAbortedLater(t *testing.T) {
	w := newPartsWorld(t)
	w.put(w.source, "big", large("abcdefg"))
	require.True(t, w.dieAt(moment{"begin", true}))
	w.destination.before = func(op, _ string) error {
		if op == "uploads" {
			return fs.ErrPermission
		}
		return nil
	}
	w.mustSync()
	w.requireEqual()
	require.Len(t, w.destination.Uploads(), 1)
	w.destination.before = nil
	w.mustSync()
	w.requireNoUploads()
}

// An upload of a key that the policy lost may be somebody else's.
func TestOnlyUploadsThatCanBeOursAreAborted(t *testing.T) {
	store := memory.NewBackend()
	begin := func(key string, parts int) string {
		u, err := store.UploadParts(t.Context(), key, backend.PartsOptions{PartSize: 10})
		require.NoError(t, err)
		for n := range parts {
			_, err := u.Put(t.Context(), n+1, backend.Bytes([]byte("theirs")))
			require.NoError(t, err)
		}
		return u.ID()
	}
	lost, older, skewed, undated := begin("k", 0), begin("k", 0), begin("k", 0), begin("k", 0)
	filled, longer := begin("k", 1), begin("k2", 0)
	lister := &dated{store, map[string]time.Duration{older: -clockSkew - time.Second, skewed: -clockSkew + time.Second, undated: never}, time.Now()}
	u := &unfinished{uploader: store, lister: lister, location: "here", again: retrier{attempts: 1}}
	require.NoError(t, u.abandon(t.Context(), uploadJournal{Key: "k", Destination: "here", PartSize: 10, UnknownSince: lister.now}))
	want := []string{older, filled, longer}
	slices.Sort(want)
	require.Equal(t, want, store.Uploads(), "lost %s, skewed %s, undated %s", lost, skewed, undated)
}

const never = time.Duration(1)

// dated says of uploads that they were begun some time before now, or not when.
type dated struct {
	*memory.Store
	ages map[string]time.Duration
	now  time.Time
}

func (d *dated) ListUploads(ctx context.Context, key string) ([]backend.Upload, error) {
	out, err := d.Store.ListUploads(ctx, key)
	for i := range out {
		out[i].Begun = d.now.Add(d.ages[out[i].ID])
		if d.ages[out[i].ID] == never {
			out[i].Begun = time.Time{}
		}
	}
	return out, err
}

// A store that lists no uploads keeps what is lost there: it is said, and not
// tried for ever.
func TestAStoreThatCannotListUploadsIsNotAskedForEver(t *testing.T) {
	store := memory.NewBackend()
	j := uploadJournal{Key: "k", Destination: "here", PartSize: 10, UnknownSince: time.Now()}
	u := &unfinished{uploader: store, location: "here", again: retrier{attempts: 1}}
	require.ErrorIs(t, u.abandon(t.Context(), j), errStays)
	u.lister = refusing{}
	require.ErrorIs(t, u.abandon(t.Context(), j), errStays)
	j.UnknownSince = time.Time{}
	require.NoError(t, u.abandon(t.Context(), j))

	e := newEndpoint(onlyParts{store, store}, "destination", "d", "")
	require.Contains(t, fmt.Sprint(e.weaker(conditions{})), "cannot list uploads")
	require.NotContains(t, fmt.Sprint(newEndpoint(store, "destination", "d", "").weaker(conditions{})), "cannot list uploads")
}

type refusing struct{}

func (refusing) ListUploads(context.Context, string) ([]backend.Upload, error) {
	return nil, errors.ErrUnsupported
}

type onlyParts struct {
	backend.Backend
	backend.PartUploader
}

// Only a scan knows that every object is where it belongs.
func TestAReplayLeavesUploadsToTheNextPass(t *testing.T) {
	w := newPartsWorld(t)
	w.put(w.source, "big", large("abcdefg"))
	w.interrupted(6)
	w.restartParts()
	_, err := w.r.Sync(t.Context(), w.policy, func(o *syncOptions) { o.replay = true })
	require.NoError(t, err)
	require.Len(t, w.destination.Uploads(), 1)
	w.mustSync()
	w.requireEqual()
	w.requireNoUploads()
}

func TestUploadJournalFormatIsAsSpecified(t *testing.T) {
	state := &policyState{Backend: memory.NewBackend()}
	js := journals{state}
	at := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	for golden, j := range map[string]uploadJournal{
		`{"version":1,"key":"a/b","destination":"s3://x/y","upload":"u","part_size":16,"source_size":40,"source_tag":"t","source_stamp":"s","operation":"OP.1"}`: {
			Key: "a/b", Destination: "s3://x/y", Upload: "u", PartSize: 16, SourceSize: 40, SourceTag: "t", SourceStamp: "s", Operation: "OP.1",
		},
		`{"version":1,"key":"a/b","destination":"s3://x/y","unknown_since":"2026-01-02T03:04:05.000000006Z","unknown_until":"2026-01-02T03:05:05.000000006Z","part_size":16,"source_size":40,"source_tag":"t","operation":"OP.1"}`: {
			Key: "a/b", Destination: "s3://x/y", UnknownSince: at, UnknownUntil: at.Add(time.Minute), PartSize: 16, SourceSize: 40, SourceTag: "t", Operation: "OP.1",
		},
	} {
		require.NoError(t, js.write(t.Context(), j))
		raw, _, err := state.read(t.Context(), "uploads/c14cddc033f64b9dea80ea675cf280a015e672516090a5626781153dc68fea11.json")
		require.NoError(t, err)
		require.Equal(t, golden+"\n", string(raw))
		got, found, err := js.read(t.Context(), "a/b")
		require.NoError(t, err)
		require.True(t, found)
		j.Version = journalVersion
		require.Equal(t, j, got)
	}
}
