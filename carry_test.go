package replication

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/memory"
)

// tagged is a store whose requests for object tags are counted and can fail.
type tagged struct {
	*hooked
	asked  []string
	silent bool // its answers count no tags
	fail   error
}

func (s *tagged) ObjectTags(ctx context.Context, key string) (map[string]string, error) {
	s.mu.Lock()
	s.asked = append(s.asked, key)
	s.mu.Unlock()
	if s.fail != nil {
		return nil, s.fail
	}
	return s.Store.ObjectTags(ctx, key)
}

// taggedWorld is a world whose source is tagged, with one object a worker.
func taggedWorld(t *testing.T, opts ...memory.Option) (*world, *tagged) {
	w := newWorld(t, opts...)
	s := &tagged{hooked: w.source}
	w.source.describe = func(o *backend.Object) {
		if s.silent {
			o.ObjectTags = 0
		}
	}
	w.wrapSource = func(*hooked) backend.Backend { return s }
	w.policy.ObjectTags, w.policy.Concurrency = true, 1
	return w, s
}

func (w *world) putWith(key string, opts backend.PutOptions) {
	w.t.Helper()
	_, err := w.source.Store.Put(w.t.Context(), key, backend.Bytes([]byte(key)), opts)
	require.NoError(w.t, err)
}

func (w *world) tagsOf(key string) map[string]string {
	w.t.Helper()
	tags, err := w.destination.ObjectTags(w.t.Context(), key)
	require.NoError(w.t, err)
	return tags
}

func TestObjectTagsAreCopiedAtOneRequestForEachObjectThatHasSome(t *testing.T) {
	w, source := taggedWorld(t)
	blue := map[string]string{"team": "blue"}
	w.putWith("a", backend.PutOptions{}) // may be of a server that tells of none
	w.putWith("b", backend.PutOptions{ObjectTags: blue})
	w.putWith("c", backend.PutOptions{})
	w.putWith("d", backend.PutOptions{ObjectTags: blue})
	require.EqualValues(t, 4, w.mustSync().Synced)
	require.Subset(t, source.asked, []string{"b", "d"})
	require.Equal(t, blue, w.tagsOf("b"))
	require.Equal(t, blue, w.tagsOf("d"))
	require.Empty(t, w.tagsOf("c"))
	source.asked = nil
	w.requireQuiet()
	require.Empty(t, source.asked, "an unchanged object costs nothing")
}

func TestObjectsWithoutTagsCostNothingOnceTheSourceHasCountedSome(t *testing.T) {
	store := memory.NewBackend()
	c := &carrier{pass: &pass{source: newEndpoint(store, "source", "test", "")}, tagger: store}
	for _, key := range []string{"none", "some", "other"} {
		var tags map[string]string
		if key == "some" {
			tags = map[string]string{"k": "v"}
		}
		_, err := store.Put(t.Context(), key, backend.Bytes(nil), backend.PutOptions{ObjectTags: tags})
		require.NoError(t, err)
	}
	asks := func(key string, head bool) bool {
		s := &tagged{hooked: &hooked{Store: store}}
		c.tagger = s
		o, err := store.Stat(t.Context(), key)
		require.NoError(t, err)
		_, err = c.tags(t.Context(), key, o, head)
		require.NoError(t, err)
		return len(s.asked) > 0
	}
	require.True(t, asks("none", false), "nobody knows yet that the source tells")
	require.True(t, asks("some", false))
	require.False(t, asks("other", false))
	require.True(t, asks("other", true), "S3 does not always tell in an answer to HEAD")
}

// A server that never counts tags, or does not for these credentials.
func TestObjectTagsThatNoAnswerTellsOfAreCopiedToo(t *testing.T) {
	w, source := taggedWorld(t)
	source.silent = true
	for _, key := range []string{"a", "b"} {
		w.putWith(key, backend.PutOptions{ObjectTags: map[string]string{"k": key}})
	}
	w.mustSync()
	require.Equal(t, map[string]string{"k": "a"}, w.tagsOf("a"))
	require.Equal(t, map[string]string{"k": "b"}, w.tagsOf("b"))
}

func TestAnObjectWhoseTagsCannotBeReadFailsAlone(t *testing.T) {
	w, source := taggedWorld(t)
	w.putWith("a", backend.PutOptions{ObjectTags: map[string]string{"k": "v"}})
	source.fail = &backend.Error{Op: "read object tags", Backend: "test", Key: "a", Err: errors.New("denied")}
	res, err := w.sync()
	require.ErrorIs(t, err, ErrObjectsFailed)
	require.ErrorContains(t, err, "denied")
	require.EqualValues(t, 1, res.Failed)
	require.Empty(t, w.contents(w.destination), "it is not copied without them")

	source.fail = fmt.Errorf("no such call: %w", errors.ErrUnsupported)
	_, err = w.sync()
	require.ErrorContains(t, err, "object_tags")
	require.NotErrorIs(t, err, ErrObjectsFailed, "one for all, and not one for each")
}

func TestLargeObjectsHaveTagsAndClassToo(t *testing.T) {
	w, source := taggedWorld(t)
	source.silent = true
	w.r.config.partsFrom = 1
	w.policy.StorageClass = map[string]string{"*": "COLD"}
	w.putWith("a", backend.PutOptions{ObjectTags: map[string]string{"k": "v"}})
	w.mustSync()
	require.Equal(t, map[string]string{"k": "v"}, w.tagsOf("a"))
	require.Equal(t, "COLD", w.classes()["a"])
}

func (w *world) classes() map[string]string {
	out := map[string]string{}
	for page, err := range w.destination.Store.List(w.t.Context(), backend.ListOptions{}) {
		require.NoError(w.t, err)
		for _, o := range page {
			out[o.Key] = o.Class
		}
	}
	return out
}

func TestStorageClassesAreMapped(t *testing.T) {
	w := newWorld(t)
	// As Azure, whose answers to Open tell none.
	w.source.describe = func(o *backend.Object) { o.Class = "" }
	for _, class := range []string{"STANDARD", "GLACIER", "ODD"} {
		w.putWith(strings.ToLower(class), backend.PutOptions{Class: class})
	}
	w.policy.StorageClass = map[string]string{"STANDARD": "Hot", "GLACIER": "Archive"}
	res, err := w.sync()
	require.EqualValues(t, 2, res.Synced)
	require.ErrorContains(t, err, `"ODD" is not in storage_class`)
	require.Equal(t, map[string]string{"standard": "Hot", "glacier": "Archive"}, w.classes())
	require.NotContains(t, w.source.calls(), "stat", "the listing has told the class")

	w.policy.StorageClass["*"] = "Cool"
	w.mustSync()
	require.Equal(t, "Cool", w.classes()["odd"])
	w.policy.StorageClass = nil
	w.putWith("plain", backend.PutOptions{Class: "GLACIER"})
	w.mustSync()
	require.Equal(t, "STANDARD", w.classes()["plain"], "without a mapping it is the destination's own")
}

func TestPoliciesThatTheStoresCannotFollowAreRefused(t *testing.T) {
	without := memory.WithProperties(func(p *backend.Properties) { p.CheckClass = nil })
	w := newWorld(t, without)
	w.put(w.source, "a", "x")
	refused := func(text string) {
		t.Helper()
		_, err := w.sync()
		require.ErrorIs(t, err, ErrInvalidPolicy)
		require.ErrorContains(t, err, text)
		_, err = w.r.PlanOf(t.Context(), w.policy)
		require.ErrorContains(t, err, text, "a dry run says so too")
		require.Empty(t, w.contents(w.destination))
	}
	w.policy.StorageClass = map[string]string{"*": "Cool"}
	refused("storage_class: destination")
	w.policy.StorageClass, w.policy.ObjectTags = nil, true
	w.wrap = func(h *hooked) backend.Backend { return struct{ backend.Backend }{h} }
	refused("object_tags: destination")

	w = newWorld(t)
	w.wrapSource = func(*hooked) backend.Backend { return memory.NewBackend(without) }
	w.policy.StorageClass = map[string]string{"STANDARD": "Hot"}
	refused(`only "*" names its objects`)
}

func TestATagOfAPlannedCopyIsCounted(t *testing.T) {
	w, _ := taggedWorld(t)
	w.putWith("a", backend.PutOptions{})
	plan, err := w.r.PlanOf(t.Context(), w.policy)
	require.NoError(t, err)
	require.EqualValues(t, 1, plan.Requests.Least.Source.Get)
	require.EqualValues(t, 2, plan.Requests.Most.Source.Get)
}

func TestStorageClassesThatMeanNothingAreFaults(t *testing.T) {
	p := smallPolicy("p")
	p.StorageClass = map[string]string{"": "Hot", "A": "", "B": "*", "C\n": "Hot"}
	err := p.validate(testResolve, testNames)
	requireFaults(t, err, `storage_class: "": "Hot" has an empty class`, `"A": "" has an empty class`, `"B": "*" stands for`, "not printable")
	q, err := ParsePolicy([]byte(`{"id": "p", "storage_class": "Cool"}`))
	require.NoError(t, err)
	require.Equal(t, map[string]string{"*": "Cool"}, q.StorageClass)
}
