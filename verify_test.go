package replication

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/memory"
)

// verify verifies and wants nothing to have been changed by it. It returns the
// findings as "key kind".
func (w *world) verify(opts ...VerifyOption) (v Verification, found []string, err error) {
	w.t.Helper()
	disk := w.onDisk()
	w.source.calls()
	w.destination.calls()
	v, err = w.r.VerifyOf(w.t.Context(), w.policy, append(opts, VerifyFindings(func(f Finding) error {
		found = append(found, f.Key+" "+string(f.Kind))
		return nil
	}))...)
	w.requireOnlyCalls(w.source, "list", "open", "stat")
	w.requireOnlyCalls(w.destination, "list", "open", "stat")
	require.Equal(w.t, disk, w.onDisk())
	return v, found, err
}

func TestBothSidesOfACopyAreEqualAtTheCostOfListings(t *testing.T) {
	w := newWorld(t)
	for _, key := range []string{"a", "b/c", "empty"} {
		w.put(w.source, key, strings.TrimPrefix(key, "empty"))
	}
	w.mustSync()
	v, found, err := w.verify()
	require.NoError(t, err)
	require.Empty(t, found)
	require.EqualValues(t, 3, v.Equal)
	require.EqualValues(t, 3, v.Compared)
	require.Zero(t, v.Read)
	w.requireOnlyCalls(w.source, "list")
	w.requireOnlyCalls(w.destination, "list")

	v, found, err = w.verify(ReadAll())
	require.NoError(t, err)
	require.Empty(t, found)
	require.EqualValues(t, 3, v.Equal)
	require.EqualValues(t, 3, v.Read)
	require.EqualValues(t, 4, v.BytesRead)
}

func TestVerifyFindsEachKindOfDifference(t *testing.T) {
	w := newWorld(t)
	large := strings.Repeat("x", 3*compareBuffer)
	for _, key := range []string{"content", "extra", "fine", "missing", "replaced", "size"} {
		w.put(w.source, key, "12345")
	}
	w.put(w.source, "large", large)
	w.mustSync()
	w.put(w.destination, "content", "12x45")
	w.put(w.destination, "large", large[1:]+"y")
	w.remove(w.source, "extra")
	w.remove(w.destination, "missing")
	w.remove(w.source, "replaced")
	w.put(w.destination, "replaced", "somebody's")
	w.put(w.destination, "foreign", "1")
	w.put(w.destination, "size", "123456")
	_, err := w.source.Store.Put(t.Context(), "metadata", backend.Bytes([]byte("1")),
		backend.PutOptions{Metadata: backend.Metadata{ContentType: "text/plain", User: map[string]string{"a": "1"}}})
	require.NoError(t, err)
	_, err = w.destination.Store.Put(t.Context(), "metadata", backend.Bytes([]byte("1")),
		backend.PutOptions{Metadata: backend.Metadata{User: map[string]string{"a": "2"}}})
	require.NoError(t, err)

	want := []string{
		"content content", "extra extra", "foreign foreign", "large content", "metadata metadata",
		"missing missing", "replaced foreign", "size size",
	}
	var report bytes.Buffer
	for _, opts := range [][]VerifyOption{nil, {ReadAll()}} {
		report.Reset()
		v, found, err := w.verify(append(opts, VerifyReportTo(&report))...)
		require.ErrorIs(t, err, ErrDifferent)
		require.NotErrorIs(t, err, ErrObjectsFailed)
		require.Equal(t, want, found)
		require.EqualValues(t, 8, v.Total())
		require.EqualValues(t, 2, v.Count(FindingContent))
		require.EqualValues(t, 5, v.Compared)
		require.EqualValues(t, 1, v.Equal)
		require.Equal(t, "from byte 2 on", v.Findings[0].Detail)
		require.Equal(t, fmt.Sprintf("from byte %d on", len(large)-1), v.Findings[3].Detail)
		require.Equal(t, "content type, user metadata", v.Findings[4].Detail)
		require.Contains(t, report.String(), `{"kind":"missing","key":"missing","source_size":5,"destination_size":null}`+"\n")
		require.Equal(t, 8, strings.Count(report.String(), "\n"))
		_, err = json.Marshal(v)
		require.NoError(t, err)
	}
}

func TestExtraObjectsCanBeAllowed(t *testing.T) {
	w := newWorld(t)
	w.put(w.source, "k", "1")
	w.put(w.source, "l", "1")
	w.mustSync()
	w.remove(w.source, "l")
	w.put(w.destination, "theirs", "1")
	_, found, err := w.verify(AllowExtra())
	require.NoError(t, err)
	require.Equal(t, []string{"l extra", "theirs foreign"}, found)
	_, _, err = w.verify()
	require.ErrorContains(t, err, "2 objects")
}

// inPlace replaces what the destination has, as somebody would who can put tag
// and metadata back: only the bytes tell.
func (w *world) inPlace(key, content string) {
	w.destination.open = func(k string, r io.ReadCloser) io.ReadCloser {
		if k != key {
			return r
		}
		return io.NopCloser(strings.NewReader(content))
	}
}

func TestTamperingThatLeavesNoTraceIsFoundByReadingAll(t *testing.T) {
	w := newWorld(t)
	w.put(w.source, "k", "total: 100")
	w.mustSync()
	w.inPlace("k", "total: 999")
	_, found, err := w.verify()
	require.NoError(t, err)
	require.Empty(t, found)
	_, found, err = w.verify(ReadAll())
	require.ErrorIs(t, err, ErrDifferent)
	require.Equal(t, []string{"k content"}, found)
}

func TestWhatTheLedgerDoesNotKnowIsProvenByTheMarker(t *testing.T) {
	w := newWorld(t)
	w.put(w.source, "k", "1")
	w.mustSync()
	w.loseLedger()
	v, found, err := w.verify()
	require.NoError(t, err)
	require.Empty(t, found)
	require.EqualValues(t, 1, v.Equal)
	require.Zero(t, v.Read)
	w.requireOnlyCalls(w.source, "list")
	w.requireOnlyCalls(w.destination, "list", "stat")
}

func TestAnotherStampIsSettledByTheDigest(t *testing.T) {
	w := newWorld(t)
	stamp := "1"
	w.source.stamp = func(string) string { return stamp }
	w.put(w.source, "k", "v")
	w.mustSync()
	for _, stamp = range []string{"2", "3~"} {
		v, found, err := w.verify()
		require.NoError(t, err)
		require.Empty(t, found)
		require.EqualValues(t, 1, v.Read)
		w.requireOnlyCalls(w.destination, "list")
	}
	// The source was edited behind the same tag.
	w.source.open = func(_ string, r io.ReadCloser) io.ReadCloser { return io.NopCloser(strings.NewReader("w")) }
	_, found, err := w.verify()
	require.ErrorIs(t, err, ErrDifferent)
	require.Equal(t, []string{"k content"}, found)
}

func TestWhatCannotBeReadIsNotTakenForEqual(t *testing.T) {
	w := newWorld(t)
	w.put(w.source, "a", "1")
	w.put(w.source, "b", "1")
	w.mustSync()
	w.destination.before = func(op, key string) error {
		if op == "open" && key == "a" {
			return fs.ErrPermission
		}
		return nil
	}
	v, found, err := w.verify(ReadAll())
	require.ErrorIs(t, err, ErrObjectsFailed)
	require.NotErrorIs(t, err, ErrDifferent)
	require.Equal(t, []string{"a unreadable"}, found)
	require.ErrorIs(t, v.Findings[0].Err, fs.ErrPermission)
	require.EqualValues(t, 1, v.Compared)
}

// broken makes a directory that no listing can look into of each that is
// named with a slash, and a special file of every other name.
func (h *hooked) broken(names ...string) {
	h.page = func(page []backend.Object) (out []backend.Object) {
		for _, o := range page {
			for _, name := range names {
				switch dir := strings.HasSuffix(name, "/"); {
				case dir && strings.HasPrefix(o.Key, name):
					o = backend.Object{Key: name, Problem: fs.ErrPermission}
				case !dir && o.Key == name:
					o = backend.Object{Key: name, Problem: backend.ErrNotRegular}
				}
			}
			if len(out) == 0 || out[len(out)-1].Key != o.Key {
				out = append(out, o)
			}
		}
		return out
	}
}

func TestADirectoryThatCannotBeReadIsOneFindingAndHidesNoOther(t *testing.T) {
	w := newWorld(t, memory.WithPageSize(100))
	for _, key := range []string{"dir/a", "dir/b", "k", "pipe"} {
		w.put(w.source, key, "1")
	}
	w.mustSync()
	w.source.broken("dir/")
	_, found, err := w.verify()
	require.ErrorIs(t, err, ErrObjectsFailed)
	require.NotErrorIs(t, err, ErrDifferent)
	require.Equal(t, []string{"dir/ unreadable"}, found)
	w.source.page = nil
	w.destination.broken("dir/", "pipe")
	_, found, err = w.verify()
	require.ErrorIs(t, err, ErrObjectsFailed)
	require.NotErrorIs(t, err, ErrDifferent)
	require.Equal(t, []string{"dir/ unreadable", "pipe unreadable"}, found)
	// A special file that the source does not have is nobody's object.
	w.remove(w.source, "pipe")
	_, found, err = w.verify()
	require.ErrorIs(t, err, ErrObjectsFailed)
	require.Equal(t, []string{"dir/ unreadable"}, found)
	w.destination.page = nil
	w.source.broken("k")
	v, _, err := w.verify(AllowExtra())
	require.NoError(t, err)
	require.EqualValues(t, 1, v.Special)
}

func TestAChangedSourceOfTheSameSizeIsNotProvenByOldEvidence(t *testing.T) {
	w := newWorld(t)
	w.put(w.source, "k", "1")
	w.mustSync()
	w.put(w.source, "k", "2")
	_, found, err := w.verify()
	require.ErrorIs(t, err, ErrDifferent)
	require.Equal(t, []string{"k content"}, found)
	w.loseLedger()
	_, found, err = w.verify()
	require.ErrorIs(t, err, ErrDifferent)
	require.Equal(t, []string{"k content"}, found)
}

func TestAnUnsettledStampProvesNothing(t *testing.T) {
	w := newWorld(t)
	w.source.stamp = func(string) string { return "1~" }
	w.put(w.source, "k", "1")
	w.mustSync()
	w.loseLedger()
	v, _, err := w.verify()
	require.NoError(t, err)
	require.EqualValues(t, 1, v.Read)
}

func TestProgressOfAVerificationIsTold(t *testing.T) {
	w := newWorld(t)
	w.put(w.source, "k", strings.Repeat("x", 3*progressStep))
	w.put(w.source, "missing", "1")
	w.mustSync()
	w.remove(w.destination, "missing")
	w.events = nil
	_, _, err := w.verify(ReadAll())
	require.ErrorIs(t, err, ErrDifferent)
	var types []string
	for _, e := range w.events {
		require.Equal(t, TaskVerify, e.Task)
		if e.Type != EventProgress {
			types = append(types, string(e.Type)+e.Key)
		}
	}
	require.Equal(t, []string{"started", "differsmissing", "finished"}, types)
	last := w.events[len(w.events)-1]
	require.ErrorIs(t, last.Err, ErrDifferent)
	require.Equal(t, Progress{Listed: 2, ListingDone: true, Planned: 1, PlannedBytes: 3 * progressStep, Done: 1, DoneBytes: 3 * progressStep}, last.Progress)
}

// Whatever happened to both sides, reading all finds exactly what differs, and
// not reading all finds the same unless traces were wiped out.
func TestVerifyAgreesWithComparingByHand(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(t)
		defer w.r.Close()
		key := rapid.StringMatching(`[a-c]{1,2}`)
		content := rapid.SampledFrom([]string{"", "1", "2", "22"})
		model := [2]map[string]string{{}, {}}
		rt.Repeat(map[string]func(*rapid.T){
			"put": func(rt *rapid.T) {
				w.put(w.source, key.Draw(rt, "key"), content.Draw(rt, "content"))
			},
			"remove":           func(rt *rapid.T) { w.remove(w.source, key.Draw(rt, "key")) },
			"put elsewhere":    func(rt *rapid.T) { w.put(w.destination, key.Draw(rt, "key"), content.Draw(rt, "content")) },
			"remove elsewhere": func(rt *rapid.T) { w.remove(w.destination, key.Draw(rt, "key")) },
			"sync":             func(rt *rapid.T) { w.sync() },
			"lose ledger":      func(rt *rapid.T) { w.loseLedger() },
		})
		for i, h := range []*hooked{w.source, w.destination} {
			for _, line := range w.contents(h) {
				k, v, _ := strings.Cut(line, "=")
				model[i][k] = v
			}
		}
		want := map[string]bool{}
		for k, v := range model[0] {
			there, ok := model[1][k]
			switch {
			case !ok:
				want[k+" missing"] = true
			case len(there) != len(v):
				want[k+" size"] = true
			case there != v:
				want[k+" content"] = true
			}
		}
		for k := range model[1] {
			if _, ok := model[0][k]; !ok {
				want[k+" extra"] = true
			}
		}
		for _, opts := range [][]VerifyOption{nil, {ReadAll()}} {
			_, found, err := w.verify(opts...)
			require.Equal(rt, len(want) > 0, errors.Is(err, ErrDifferent))
			got := map[string]bool{}
			for _, f := range found {
				got[strings.Replace(f, " foreign", " extra", 1)] = true
			}
			require.Equal(rt, want, got)
		}
	})
}

func TestReadersAreComparedToTheirEnds(t *testing.T) {
	long := strings.Repeat("x", 2*compareBuffer)
	for _, c := range []struct {
		a, b string
		at   int64
		want bool
	}{
		{"", "", 0, true},
		{"a", "a", 1, true},
		{long, long, int64(len(long)), true},
		{long, long + "y", int64(len(long)), false},
		{long + "y", long, int64(len(long)), false},
		{long + "y", long + "z", int64(len(long)), false},
		{"", "a", 0, false},
	} {
		for _, wrap := range []func(io.Reader) io.Reader{
			func(r io.Reader) io.Reader { return r }, iotest.DataErrReader, iotest.HalfReader,
		} {
			at, equal, err := equalBytes(wrap(strings.NewReader(c.a)), strings.NewReader(c.b))
			require.NoError(t, err)
			require.Equal(t, c.want, equal)
			require.Equal(t, c.at, at)
		}
	}
	// A store's word about the end counts, after the last byte too.
	for _, class := range []error{io.ErrUnexpectedEOF, backend.ErrPrecondition} {
		_, _, err := equalBytes(strings.NewReader("a"), io.MultiReader(strings.NewReader("a"), iotest.ErrReader(class)))
		require.ErrorIs(t, err, class)
	}
}
