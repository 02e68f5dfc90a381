//go:build linux

package e2e

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheWatcherSeesWhatShouldNotBeThere(t *testing.T) {
	dir := folder{t.TempDir(), t.TempDir()}
	h := newHistory()
	h.add("a/k", []byte("version 0"))
	h.add("a/k", []byte("version 1"))
	w := &watcher{store: dir, history: h, strict: true, seen: map[string]int{}}
	look := func(content string) int {
		t.Helper()
		if content == "" {
			dir.remove(t, "a/k")
		} else {
			dir.put(t, "a/k", []byte(content))
		}
		before := len(w.faults)
		w.look(t.Context(), "a/k")
		return len(w.faults) - before
	}
	require.Zero(t, look("version 0"))
	require.Zero(t, look("version 1"))
	require.Zero(t, look(""), "an object may be gone")
	require.Zero(t, look("version 1"))
	require.Equal(t, 1, look("version 0"), "an older version came back")
	require.Equal(t, 1, look("versi"), "torn")
	require.Equal(t, 1, look("version 2"), "never written")
	require.NoError(t, os.RemoveAll(filepath.Join(dir.path, "a")))
	require.NoError(t, os.WriteFile(filepath.Join(dir.path, "a"), nil, 0o644))
	require.Equal(t, map[string]digest{"a": [32]byte(must(dir.sum(t.Context(), "a")))}, contents(t, dir))
}

func must(sum digest, _ bool, _ error) digest { return sum }
