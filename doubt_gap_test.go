package replication

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
)

// Nor may the doubt end with a pass that could not list what an object may be a
// copy of: the object was passed over, and may be one of ours.
func TestDoubtStaysWhileADirectoryCannotBeListed(t *testing.T) {
	w := newWorld(t)
	w.policy.MaxDelete = "off"
	w.put(w.source, "d/a", "1")
	w.put(w.source, "stays", "1")
	w.mustSync()
	w.loseLedger()
	require.NoError(t, os.WriteFile(filepath.Join(w.r.config.stateDir, policyDir("p"), doubtName), nil, 0o600))
	w.source.page = func(page []backend.Object) (out []backend.Object) {
		for _, o := range page {
			if strings.HasPrefix(o.Key, "d/") {
				o = backend.Object{Key: "d/", Problem: backend.ErrUnavailable}
			}
			out = append(out, o)
		}
		return out
	}
	_, err := w.sync()
	require.ErrorIs(t, err, ErrObjectsFailed)
	w.source.page = nil
	w.remove(w.source, "d/a")
	w.mustSync()
	w.mustSync()
	w.requireEqual()
}
