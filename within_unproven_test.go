package replication

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/memory"
)

// newBareWithinWorld makes a world of one service that has no checksums, as Azure
// has none of blobs without an MD5. It has three objects, and loses the answer to the
// first copy of a, once that is made.
func newBareWithinWorld(t *testing.T, opts ...memory.Option) *world {
	w := newWithinWorld(t, opts...)
	w.policy.MaxDelete = "off"
	for _, h := range []*hooked{w.source, w.destination} {
		h.describe = func(o *backend.Object) { o.Checksum = "" }
		h.page = func(page []backend.Object) []backend.Object {
			for i := range page {
				page[i].Checksum = ""
			}
			return page
		}
	}
	for _, key := range []string{"a", "b", "c"} {
		w.put(w.source, key, "bytes of "+key)
	}
	w.destination.after = onceAt("copy", "a", func() error { return backend.ErrUnavailable })
	return w
}

// onceAt is a hook that calls f at the first operation of a kind on a key.
func onceAt(op, key string, f func() error) func(op, key string) error {
	called := false
	return func(o, k string) error {
		if o != op || k != key || called {
			return nil
		}
		called = true
		return f()
	}
}

// A copy whose answer was lost is the policy's own also where no checksum says so: it
// is read at once, while the source has the version still. So whatever becomes of the
// source before the next pass, the object is kept up to date.
func TestALostAnswerWithoutChecksumIsProvenAtOnce(t *testing.T) {
	for name, then := range map[string]func(w *world){
		"nothing":    func(*world) {},
		"it changes": func(w *world) { w.put(w.source, "a", "other") },
		"it goes":    func(w *world) { w.remove(w.source, "a") },
	} {
		t.Run(name, func(t *testing.T) {
			w := newBareWithinWorld(t)
			res := w.mustSync()
			require.EqualValues(t, 3, res.Synced)
			require.Equal(t, res.BytesTotal, res.BytesInStore)
			require.NotContains(t, w.destination.calls(), "put")
			require.Empty(t, w.intentFiles())
			then(w)
			w.mustSync()
			w.requireEqual()
			w.requireQuiet()
		})
	}
}

// What was there before the copy, or somebody has put there since with other bytes, is
// nobody's but his.
func TestALostAnswerWithoutChecksumProvesNothingOfOtherBytes(t *testing.T) {
	w := newBareWithinWorld(t)
	w.destination.after = nil
	w.destination.before = onceAt("copy", "a", func() error {
		w.put(w.destination, "a", "BYTES OF A")
		return backend.ErrUnavailable
	})
	_, err := w.sync()
	require.ErrorIs(t, err, ErrForeignObject)
	w.destination.before = nil
	w.remove(w.source, "a")
	w.mustSync()
	require.Contains(t, w.contents(w.destination), "a=BYTES OF A")
}

// An equal object that was there without any intent of the policy is adopted, however
// many answers are lost at other keys.
func TestAnEqualObjectBesideALostAnswerIsAdopted(t *testing.T) {
	w := newBareWithinWorld(t)
	w.put(w.destination, "b", "bytes of b")
	require.EqualValues(t, 1, w.mustSync().Adopted)
	w.remove(w.source, "a")
	w.remove(w.source, "b")
	w.mustSync()
	require.Equal(t, []string{"b=bytes of b", "c=bytes of c"}, w.contents(w.destination))
}

// An object that may be the policy's own, and cannot be read now, is not called
// somebody else's; the next pass reads it.
func TestALostAnswerThatCannotBeReadIsLeftToTheNextPass(t *testing.T) {
	w := newBareWithinWorld(t)
	w.destination.before = func(op, key string) error {
		if op == "open" && key == "a" {
			return backend.ErrUnavailable
		}
		return nil
	}
	_, err := w.sync()
	require.ErrorIs(t, err, ErrObjectsFailed)
	require.NotErrorIs(t, err, ErrForeignObject)
	require.Len(t, w.intentFiles(), 1)
	w.destination.before = nil
	w.mustSync()
	w.remove(w.source, "a")
	w.mustSync()
	w.requireEqual()
	require.Empty(t, w.intentFiles())
}

// An attempt that comes after the one that was answered gives the object another tag:
// the intent stays, and the next pass knows the object by reading it.
func TestALateCopyWithoutChecksumIsStillOurs(t *testing.T) {
	w := newBareWithinWorld(t, memory.WithProperties(blindCopies))
	w.mustSync()
	require.Len(t, w.intentFiles(), 1)
	w.put(w.destination, "a", "bytes of a") // it arrives
	w.mustSync()
	require.Empty(t, w.intentFiles())
	w.remove(w.source, "a")
	w.mustSync()
	w.requireEqual()
}

// Where the source moves on before anybody could read it, nothing proves whose the
// object is. It is reported, and left alone.
func TestALostAnswerWithoutChecksumOfWhatIsGoneIsReported(t *testing.T) {
	w := newBareWithinWorld(t)
	w.destination.after = onceAt("copy", "a", func() error {
		w.put(w.source, "a", strings.ToUpper("bytes of a"))
		return backend.ErrUnavailable
	})
	_, err := w.sync()
	require.ErrorIs(t, err, ErrForeignObject)
	require.Contains(t, w.contents(w.destination), "a=bytes of a")
	w.policy.Foreign = Overwrite
	w.mustSync()
	w.requireEqual()
}
