package replication

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
)

// noClass fails what makes an object like a store that lacks its class.
func noClass(op, _ string) error {
	if op == "put" || op == "copy" || op == "begin" {
		return &backend.Error{Op: op, Backend: "test", Err: backend.ErrInvalidClass, Hint: "check storageClass"}
	}
	return nil
}

func TestAClassThatEveryObjectWouldHaveEndsThePass(t *testing.T) {
	for name, c := range map[string]struct {
		classes map[string]string
		words   string
	}{
		"setting": {nil, "the destination's settings ask for"},
		"policy":  {map[string]string{anyClass: "NONE"}, `storage_class ("NONE")`},
		"all one": {map[string]string{"STANDARD": "NONE", "COLD": "NONE"}, `storage_class ("NONE")`},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.policy.StorageClass = c.classes
			w.fill(40, 10, "1")
			w.destination.before = noClass
			res, err := w.sync()
			require.ErrorIs(t, err, backend.ErrInvalidClass)
			require.NotErrorIs(t, err, ErrObjectsFailed)
			require.ErrorContains(t, err, "the pass was stopped")
			require.ErrorContains(t, err, c.words)
			require.LessOrEqual(t, res.Failed, int64(5))
			require.LessOrEqual(t, count(w.destination.calls(), "put"), 5, "nor once more without a marker")
			require.Empty(t, w.contents(w.destination))
			w.destination.before = nil
			require.EqualValues(t, 40, w.mustSync().Synced)
		})
	}
}

func TestAClassOfOneObjectFailsThatAlone(t *testing.T) {
	w := newWorld(t)
	w.policy.StorageClass = map[string]string{"COLD": "NONE", anyClass: "STANDARD"}
	w.fill(20, 10, "1")
	_, err := w.source.Store.Put(t.Context(), "cold", backend.Bytes([]byte("1")), backend.PutOptions{Class: "COLD"})
	require.NoError(t, err)
	w.destination.putting = func(key string, opts backend.PutOptions) error {
		if opts.Class == "NONE" {
			return noClass("put", key)
		}
		return nil
	}
	res, err := w.sync()
	require.ErrorIs(t, err, ErrObjectsFailed)
	require.EqualValues(t, 1, res.Failed)
	require.EqualValues(t, 20, res.Synced)
	require.Equal(t, "cold", res.Errors[0].Key)
}
