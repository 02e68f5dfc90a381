package replication

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/local"
)

// newFilesWorld makes a replicator between two directories, whose kernel copies
// files from so many bytes on.
func newFilesWorld(t *testing.T, from int64) (r *Replicator, p Policy, source, destination string) {
	dir := t.TempDir()
	source, destination = filepath.Join(dir, "source"), filepath.Join(dir, "destination")
	require.NoError(t, os.Mkdir(source, 0o755))
	r, err := New(WithStateDir(filepath.Join(dir, "state")), WithPartThreshold(from))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, r.Close()) })
	return r, Policy{
		ID: "p", SourceBackend: "local", SourceSettings: map[string]string{"path": source},
		DestinationBackend: "local", DestinationSettings: map[string]string{"path": destination},
	}, source, destination
}

// A large file goes whole, with its marker, and its bytes are counted although
// nobody here has seen them.
func TestTheKernelCopiesLargeFiles(t *testing.T) {
	r, p, source, destination := newFilesWorld(t, 1<<20)
	data := bytes.Repeat([]byte("0123456789abcdef"), 3<<16)
	require.NoError(t, os.WriteFile(filepath.Join(source, "large"), data, 0o644))
	var progress Progress
	r.config.observer = func(e Event) {
		if e.Type == EventFinished {
			progress = e.Progress
		}
	}
	res, err := r.Sync(t.Context(), p)
	require.NoError(t, err)
	require.EqualValues(t, len(data), res.BytesTotal)
	require.EqualValues(t, len(data), progress.DoneBytes)
	got, err := os.ReadFile(filepath.Join(destination, "large"))
	require.NoError(t, err)
	require.True(t, bytes.Equal(data, got))
	left, err := filepath.Glob(filepath.Join(r.config.stateDir, policyDir("p"), uploadsDir, "*"))
	require.NoError(t, err)
	require.Empty(t, left, "it went whole")

	b, err := local.Driver.Open(t.Context(), p.DestinationSettings)
	require.NoError(t, err)
	defer b.Close()
	o, err := b.Stat(t.Context(), "large")
	require.NoError(t, err)
	mk, marked := readMarker(o.Metadata)
	require.True(t, marked)
	require.Equal(t, "p", mk.policy)
}

// A bandwidth has to see the bytes go by, and so large files go in parts.
func TestTheKernelDoesNotCopyPastABandwidth(t *testing.T) {
	r, p, source, _ := newFilesWorld(t, 1<<20)
	p.Bandwidth = 1 << 30
	require.NoError(t, os.WriteFile(filepath.Join(source, "large"), make([]byte, 3<<20), 0o644))
	var inParts atomic.Bool
	r.config.observer = func(Event) {
		journals, _ := filepath.Glob(filepath.Join(r.config.stateDir, policyDir("p"), uploadsDir, "*"))
		if len(journals) > 0 {
			inParts.Store(true)
		}
	}
	_, err := r.Sync(t.Context(), p)
	require.NoError(t, err)
	require.True(t, inParts.Load())
}

// Whoever copies from the file that is lent finds at its end whether it held still.
func TestAFileThatChangesWhileItIsLentIsNoVersion(t *testing.T) {
	for _, changes := range []bool{false, true} {
		dir := t.TempDir()
		name := filepath.Join(dir, "large")
		require.NoError(t, os.WriteFile(name, make([]byte, 1<<20), 0o644))
		b, err := local.Driver.Open(t.Context(), backend.Settings{"path": dir})
		require.NoError(t, err)
		defer b.Close()
		moved := 0
		s := &sourceReader{endpoint: newEndpoint(b, "source", "local", ""), kernelFrom: 1, moved: func(n int) { moved += n }}
		v, err := s.open(t.Context(), "large")
		require.NoError(t, err)
		defer v.release()
		body, err := v.body.Open(0)
		require.NoError(t, err)
		_, err = io.Copy(io.Discard, body.(fileLender).File())
		require.NoError(t, err)
		if changes {
			require.NoError(t, os.Chtimes(name, time.Unix(1, 0), time.Unix(1, 0)))
		}
		n, err := io.Copy(io.Discard, body)
		require.Zero(t, n)
		want := 1 << 20
		if changes {
			want = 0 // it is copied anew
			require.ErrorIs(t, err, backend.ErrPrecondition)
			require.ErrorIs(t, v.readFailure(), backend.ErrPrecondition)
		} else {
			require.NoError(t, err)
		}
		require.NoError(t, body.Close())
		require.Equal(t, want, moved)
	}
}
