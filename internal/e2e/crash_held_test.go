//go:build linux

package e2e

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/local"
)

// A held is what a destination directory had of the source's versions when a sync
// began, and the reads of that sync of what was there already.
type held struct {
	mu    sync.Mutex
	whole map[string]string    // guarded by mu; by key, the ETag of the version that is there
	parts map[string]heldParts // guarded by mu; by key
	most  int                  // guarded by mu; objects that were there at once
	again []string             // guarded by mu
}

// heldParts are the parts of an unfinished upload that are on disk.
type heldParts struct {
	etag    string
	size    int64
	numbers map[int]bool
}

// look is done while no sync runs.
func (h *held) look(t *testing.T, dir, state string) {
	t.Helper()
	whole, parts := wholeIn(t, dir), partsIn(t, dir, state)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.whole, h.parts, h.most = whole, parts, max(h.most, len(whole))
}

// wholeIn returns the versions that the objects of a directory say they are of.
func wholeIn(t *testing.T, dir string) map[string]string {
	keys, err := folder{path: dir}.keys(t.Context())
	require.NoError(t, err)
	if len(keys) == 0 {
		return nil
	}
	b, err := local.Driver.Open(t.Context(), backend.Settings{"path": dir})
	require.NoError(t, err)
	defer b.Close()
	whole := map[string]string{}
	for _, key := range keys {
		if strings.Contains(key, probeName) {
			continue
		}
		o, err := b.Stat(t.Context(), key)
		require.NoError(t, err)
		m, err := markerOf(o.Metadata.User["objrepl-marker"])
		require.NoError(t, err, key)
		whole[key] = strings.Trim(m.tag, `"`)
	}
	return whole
}

// partsIn reads the journals of a state directory, which say of which versions the
// uploads are, and the logs of the uploads (docs/FORMAT.md).
func partsIn(t *testing.T, dir, state string) map[string]heldParts {
	journals, err := filepath.Glob(filepath.Join(state, "policies", "*", "uploads", "*.json"))
	require.NoError(t, err)
	parts := map[string]heldParts{}
	for _, name := range journals {
		raw, err := os.ReadFile(name)
		require.NoError(t, err)
		var j struct {
			Key, Upload string
			PartSize    int64  `json:"part_size"`
			SourceTag   string `json:"source_tag"`
		}
		require.NoError(t, json.Unmarshal(raw, &j), name)
		if numbers := finishedParts(t, filepath.Join(dir, ".objrepl", "uploads", j.Upload+".parts")); j.Upload != "" {
			parts[j.Key] = heldParts{strings.Trim(j.SourceTag, `"`), j.PartSize, numbers}
		}
	}
	return parts
}

func finishedParts(t *testing.T, log string) map[int]bool {
	f, err := os.Open(log)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	require.NoError(t, err)
	defer f.Close()
	there := map[int]bool{}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		// The last line of a number counts, and one that was cut short says that it is missing.
		fields := strings.Fields(lines.Text())
		if len(fields) == 0 {
			continue
		}
		if number, err := strconv.Atoi(fields[0]); err == nil {
			there[number] = len(fields) == 4 && fields[3] == "."
		}
	}
	require.NoError(t, lines.Err())
	return there
}

// read notes that the source answers a read with a version.
func (h *held) read(r *http.Request, etag string) {
	_, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	etag = strings.Trim(etag, `"`)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.whole[key] == etag {
		h.again = append(h.again, key+": all of it")
	}
	p := h.parts[key]
	if p.etag != etag {
		return
	}
	first, last := int64(0), int64(-1)
	if _, err := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-%d", &first, &last); err != nil || last < first {
		h.again = append(h.again, fmt.Sprintf("%s: not by a part's range, but %q", key, r.Header.Get("Range")))
		return
	}
	for number := int(first/p.size) + 1; number <= int(last/p.size)+1; number++ {
		if p.numbers[number] {
			h.again = append(h.again, fmt.Sprintf("%s: part %d", key, number))
		}
	}
}

func (h *held) repeated() (most int, again []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.most, append([]string(nil), h.again...)
}
