package replication

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/local"
	"github.com/objrepl/replication/backend/memory"
)

// discarding makes a world with a trash whose source has lost so many objects.
func discarding(t *testing.T, n int, opts ...memory.Option) *world {
	w := newWorld(t, opts...)
	w.policy.TrashPrefix, w.policy.MaxDelete = ".trash/", "off"
	w.put(w.source, "stays", "1")
	for i := range n {
		w.put(w.source, fmt.Sprintf("gone%02d", i), fmt.Sprint("content ", i))
	}
	w.mustSync()
	for i := range n {
		w.remove(w.source, fmt.Sprintf("gone%02d", i))
	}
	w.destination.calls()
	return w
}

// trashed returns what is in the trash, the times taken out.
func (w *world) trashed() (objects []string, directories map[string]bool) {
	w.t.Helper()
	directories = map[string]bool{}
	for _, line := range w.contents(w.destination) {
		if rest, ok := strings.CutPrefix(line, ".trash/"); ok {
			directory, object, _ := strings.Cut(rest, "/")
			require.Regexp(w.t, regexp.MustCompile(`^\d{8}T\d{6}Z$`), directory)
			directories[directory] = true
			objects = append(objects, object)
		}
	}
	return objects, directories
}

func TestWhatIsDeletedIsInTheTrashWithItsMetadata(t *testing.T) {
	for name, change := range map[string]func(*backend.Properties){
		"in bulk": func(*backend.Properties) {}, "singly": func(p *backend.Properties) { p.MaxBulkDelete = 0 }, "like MinIO": func(p *backend.Properties) { likeMinIO(p); p.Copy = backend.Conditions{} },
		"too large to copy":   func(p *backend.Properties) { p.MaxCopy = 1 },
		"too large to put":    func(p *backend.Properties) { p.MaxCopy, p.MaxPut = 1, 5 },
		"in a store of parts": func(p *backend.Properties) { p.MaxCopy, p.MaxPut, p.Parts.Max = 1, 5, 3 },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, memory.WithProperties(func(p *backend.Properties) {}))
			w.destination.Store = memory.NewBackend(memory.WithPageSize(3), memory.WithProperties(change))
			w.policy.TrashPrefix, w.policy.MaxDelete, w.policy.DestinationPrefix = ".trash/", "off", "copies/"
			meta := backend.Metadata{ContentType: "text/x-test", ModTime: time.Unix(1e9, 0), User: map[string]string{"a": "b"}}
			for _, key := range []string{"a", "dir/b", "c"} {
				_, err := w.source.Store.Put(t.Context(), key, backend.Bytes([]byte("content of "+key)), backend.PutOptions{Metadata: meta})
				require.NoError(t, err)
			}
			w.put(w.source, "stays", "1")
			w.mustSync()
			before, err := w.destination.Store.Stat(t.Context(), "copies/dir/b")
			require.NoError(t, err)
			for _, key := range []string{"a", "dir/b", "c"} {
				w.remove(w.source, key)
			}
			began := time.Now().UTC().Add(-time.Second)
			require.EqualValues(t, 3, w.mustSync().Deleted)

			objects, directories := w.trashed()
			require.Equal(t, []string{"a=content of a", "c=content of c", "dir/b=content of dir/b"}, objects)
			require.Len(t, directories, 1)
			for d := range directories {
				at, err := time.Parse(trashTime, d)
				require.NoError(t, err)
				require.WithinRange(t, at, began, time.Now().Add(time.Second))
				o, err := w.destination.Store.Stat(t.Context(), ".trash/"+d+"/dir/b")
				require.NoError(t, err)
				require.Equal(t, before.Metadata, o.Metadata)
			}
			require.Len(t, w.contents(w.destination), 4)
			require.Empty(t, w.destination.Uploads())
			journals, _ := os.ReadDir(filepath.Join(w.r.config.stateDir, policyDir("p"), uploadsDir)) // none were needed
			require.Empty(t, journals)
			_, err = os.Stat(filepath.Join(w.r.config.stateDir, policyDir("p"), trashName))
			require.ErrorIs(t, err, os.ErrNotExist)
			w.requireQuiet()
			v, err := w.r.VerifyOf(t.Context(), w.policy)
			require.NoError(t, err)
			require.Empty(t, v.Findings)
		})
	}
}

// When an object is deleted its copy is in the trash already.
func TestTheCopyComesBeforeTheDeletion(t *testing.T) {
	for name, most := range map[string]int{"in bulk": 1000, "singly": 0} {
		t.Run(name, func(t *testing.T) {
			w := discarding(t, 5, memory.WithProperties(func(p *backend.Properties) { p.MaxBulkDelete = most }))
			var early atomic.Int64
			w.destination.before = func(op, key string) error {
				if op == "delete" && !w.holds(".trash/", "Z/"+key) {
					early.Add(1)
				}
				return nil
			}
			require.EqualValues(t, 5, w.mustSync().Deleted)
			require.Zero(t, early.Load())
		})
	}
}

// holds reports whether the destination has a key of this form. It is for hooks,
// which run in the workers and must not end them.
func (w *world) holds(prefix, suffix string) bool {
	for page, err := range w.destination.Store.List(context.Background(), backend.ListOptions{Prefix: prefix}) {
		if err == nil && slices.ContainsFunc(page, func(o backend.Object) bool { return strings.HasSuffix(o.Key, suffix) }) {
			return true
		}
	}
	return false
}

func TestWhatCannotBeMovedToTheTrashStays(t *testing.T) {
	w := discarding(t, 5)
	w.destination.before = func(op, key string) error {
		if op == "copy" && key == "gone03" {
			return backend.ErrNoSpace
		}
		return nil
	}
	res, err := w.sync()
	require.ErrorIs(t, err, backend.ErrNoSpace)
	require.ErrorContains(t, err, `trash_prefix ".trash/"`)
	require.EqualValues(t, 4, res.Deleted)
	require.Contains(t, w.contents(w.destination), "gone03=content 3")
	w.destination.before = nil
	require.EqualValues(t, 1, w.mustSync().Deleted)
	objects, _ := w.trashed()
	require.Len(t, objects, 5)
}

// A pass that ends between copying and deleting leaves both, and the next one
// makes no second copy.
func TestADeletionThatWasCutShortIsFinishedWithoutASecondCopy(t *testing.T) {
	w := discarding(t, 5)
	w.destination.before = func(op, _ string) error {
		if op == "delete" {
			return fs.ErrPermission
		}
		return nil
	}
	_, err := w.sync()
	require.ErrorIs(t, err, fs.ErrPermission)
	objects, first := w.trashed()
	require.Len(t, objects, 5)
	require.Len(t, w.contents(w.destination), 11)

	w.destination.before = nil
	w.restart(w.r.config.stateDir)
	w.destination.calls()
	require.EqualValues(t, 5, w.mustSync().Deleted)
	require.Zero(t, counted(w.destination.calls())["copy"])
	objects, second := w.trashed()
	require.Len(t, objects, 5)
	require.Equal(t, first, second)
	require.Len(t, w.contents(w.destination), 6)
	w.requireQuiet()
}

// What an earlier pass has left in the trash is not taken for a copy of another
// version under the same key.
func TestAnEarlierVersionInTheTrashIsNoCopyOfALaterOne(t *testing.T) {
	w := discarding(t, 2)
	w.destination.before = func(op, _ string) error {
		if op == "delete" {
			return fs.ErrPermission
		}
		return nil
	}
	_, err := w.sync()
	require.Error(t, err)
	w.destination.before = nil
	w.put(w.source, "gone00", "another") // back, and gone once more
	w.put(w.source, "gone01", "another")
	stop := w.policy
	stop.Deletes = KeepDeleted
	_, err = w.r.Sync(t.Context(), stop)
	require.NoError(t, err)
	w.remove(w.source, "gone00")
	w.remove(w.source, "gone01")
	require.EqualValues(t, 2, w.mustSync().Deleted)
	objects, directories := w.trashed()
	require.Len(t, directories, 2)
	require.ElementsMatch(t, []string{"gone00=content 0", "gone01=content 1", "gone00=another", "gone01=another"}, objects)
}

func TestALostAnswerOfACopyMakesNoSecondOne(t *testing.T) {
	w := discarding(t, 5)
	lost := map[string]bool{}
	w.policy.Concurrency = 1
	w.destination.after = func(op, key string) error {
		if op == "copy" && !lost[key] {
			lost[key] = true
			return backend.ErrUnavailable
		}
		return nil
	}
	require.EqualValues(t, 5, w.mustSync().Deleted)
	objects, _ := w.trashed()
	require.Len(t, objects, 5)
}

// Passes that begin in the same second share no directory, or one would take
// the other's objects for its own to replace.
func TestTwoPassesInASecondHaveATrashEach(t *testing.T) {
	w := newWorld(t, memory.WithProperties(func(p *backend.Properties) { p.Copy = backend.Conditions{} }))
	w.policy.TrashPrefix, w.policy.MaxDelete = ".trash/", "off"
	w.put(w.source, "stays", "1")
	for i := range 4 {
		w.put(w.source, "k", fmt.Sprint(i))
		w.mustSync()
		w.remove(w.source, "k")
		w.mustSync()
	}
	objects, directories := w.trashed()
	require.ElementsMatch(t, []string{"k=0", "k=1", "k=2", "k=3"}, objects)
	require.Len(t, directories, 4)
}

func TestAnObjectThatWouldBeInTheTrashFails(t *testing.T) {
	w := newWorld(t)
	w.policy.TrashPrefix = ".trash/"
	w.put(w.source, ".trash/x", "1")
	w.put(w.source, "y", "1")
	w.put(w.destination, ".trash/z", "somebody else's")
	plan, _ := w.mustPlan()
	require.Contains(t, plan.Reasons, PlanCount{ActionFail, ReasonInTrash, 1, 1})
	res, err := w.sync()
	require.ErrorIs(t, err, backend.ErrInvalidKey)
	require.ErrorContains(t, err, `".trash/x"`)
	require.ErrorContains(t, err, `trash_prefix ".trash/"`)
	require.EqualValues(t, 1, res.Synced)
	require.Equal(t, []string{".trash/z=somebody else's", "y=1"}, w.contents(w.destination))
	_, err = w.r.Sync(t.Context(), w.policy, func(o *syncOptions) { o.replay = true })
	require.ErrorIs(t, err, backend.ErrInvalidKey)
	v, err := w.r.VerifyOf(t.Context(), w.policy)
	require.ErrorIs(t, err, ErrDifferent)
	require.EqualValues(t, 1, v.Total(), "what is in the trash is no finding")
}

// The marker of what is in the trash is that of an object of ours. While there
// is doubt a pass looks for such; it must not find these, not even when the
// policy has given its trash up.
func TestWhatIsInTheTrashIsNeverClaimed(t *testing.T) {
	w := discarding(t, 5)
	w.mustSync()
	for _, prefix := range []string{".trash/", "elsewhere/", ""} {
		w.policy.TrashPrefix = prefix
		require.NoError(t, os.WriteFile(filepath.Join(w.r.config.stateDir, policyDir("p"), doubtName), nil, 0o600))
		require.Zero(t, w.mustSync(ForceDeletes()).Deleted)
		objects, _ := w.trashed()
		require.Len(t, objects, 5)
	}
}

// A trash costs a listing one request, however much is in it.
func TestATrashIsNotListed(t *testing.T) {
	w := newWorld(t, memory.WithPageSize(10))
	w.r.shards = 1
	w.policy.TrashPrefix = "t/"
	for i := range 500 {
		w.put(w.destination, fmt.Sprintf("t/20060102T150405Z/%03d", i), "1")
	}
	w.put(w.source, "a", "1")
	w.put(w.source, "z", "1")
	w.mustSync()
	w.destination.calls()
	w.mustSync()
	require.LessOrEqual(t, len(w.destination.calls()), 4)
	w.source.calls()
	w.destination.calls()
	w.put(w.destination, "t/x", "1")
	w.requireQuiet()
}

func TestTheBrakeHoldsWhatWouldGoToTheTrash(t *testing.T) {
	w := discarding(t, 5)
	w.policy.MaxDelete = "2"
	plan, _ := w.mustPlan()
	require.ErrorIs(t, plan.HeldBack, ErrBrake)
	_, err := w.sync()
	require.ErrorIs(t, err, ErrBrake)
	objects, _ := w.trashed()
	require.Empty(t, objects)
	plan, _ = w.mustPlan(PlanFor(ForceDeletes()))
	moved, _ := plan.Total(ActionTrash)
	require.EqualValues(t, 5, moved)
	require.EqualValues(t, 5, plan.Requests.Least.Destination.Put)
	require.EqualValues(t, 1, plan.Requests.Most.Destination.Delete)
}

func TestTrashPrefixesThatCannotBeAreRefused(t *testing.T) {
	for prefix, words := range map[string]string{
		"/":        "segment without a name",
		"/trash/":  "segment without a name",
		"a//b/":    "segment without a name",
		"  ":       "nothing but spaces",
		"../x/":    "segment",
		"co":       "covers the destination prefix",
		"copies/":  "covers the destination prefix",
		"a\x01b":   "control characters",
		"\xff":     "not UTF-8",
		".trash/":  "",
		"copies/t": "",
		"trash-":   "",
	} {
		p := smallPolicy("p")
		p.DestinationPrefix, p.TrashPrefix = "copies/", prefix
		err := p.validate(testResolve, testNames)
		if words == "" {
			require.NoError(t, err, "%q", prefix)
		} else {
			requireFaults(t, err, "trash_prefix", words)
		}
	}
	p := smallPolicy("p")
	p.SourcePrefix, p.TrashPrefix = "photos/2024/", "photos/"
	requireFaults(t, p.validate(testResolve, testNames), "trash_prefix", "covers the destination prefix")
}

// In one store the trash must not be in what is replicated, nor under names
// that belong to the driver.
func TestATrashInTheSourceIsRefused(t *testing.T) {
	w := newWorld(t)
	w.destination = w.source
	w.policy.SourcePrefix, w.policy.DestinationPrefix, w.policy.TrashPrefix = "data/", "copies/", "data/.trash/"
	_, err := w.sync()
	require.ErrorIs(t, err, ErrInvalidPolicy)
	require.ErrorContains(t, err, "leads into the source")
	w.policy.TrashPrefix = "copies/.trash/"
	w.put(w.source, "data/k", "1")
	w.mustSync()

	p := w.policy
	p.ID, p.DestinationBackend, p.DestinationSettings = "q", local.Driver.Name(), map[string]string{"path": t.TempDir()}
	p.TrashPrefix = ".objrepl/trash/"
	_, err = w.r.Sync(t.Context(), p)
	require.ErrorIs(t, err, ErrInvalidPolicy)
	require.ErrorIs(t, err, backend.ErrInvalidKey)
}

func TestATrashInADirectoryIsAPlaceOfItsOwn(t *testing.T) {
	source, destination := t.TempDir(), t.TempDir()
	r, err := New(WithStateDir(t.TempDir()))
	require.NoError(t, err)
	defer r.Close()
	p := Policy{
		ID: "p", SourceBackend: "local", SourceSettings: map[string]string{"path": source},
		DestinationBackend: "local", DestinationSettings: map[string]string{"path": destination}, TrashPrefix: ".trash/", MaxDelete: "off",
	}
	at := time.Unix(1e9, 0)
	for _, name := range []string{"a", "dir/b", "stays"} {
		name = filepath.Join(source, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(name), 0o755))
		require.NoError(t, os.WriteFile(name, []byte("content"), 0o644))
		require.NoError(t, os.Chtimes(name, at, at))
	}
	_, err = r.Sync(t.Context(), p)
	require.NoError(t, err)
	require.NoError(t, os.Remove(filepath.Join(source, "a")))
	require.NoError(t, os.RemoveAll(filepath.Join(source, "dir")))
	res, err := r.Sync(t.Context(), p)
	require.NoError(t, err)
	require.EqualValues(t, 2, res.Deleted)
	for _, pattern := range []string{".trash/*/a", ".trash/*/dir/b"} {
		found, err := filepath.Glob(filepath.Join(destination, pattern))
		require.NoError(t, err)
		require.Len(t, found, 1)
		data, err := os.ReadFile(found[0])
		require.NoError(t, err)
		require.Equal(t, "content", string(data))
		info, err := os.Stat(found[0])
		require.NoError(t, err)
		require.Equal(t, at.Unix(), info.ModTime().Unix())
	}
	_, err = os.Stat(filepath.Join(destination, "dir"))
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = r.VerifyOf(t.Context(), p)
	require.NoError(t, err)
	res, err = r.Sync(t.Context(), p)
	require.NoError(t, err)
	require.Zero(t, res.Synced+res.Deleted)
}
