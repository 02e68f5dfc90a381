package local

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/internal/durable"
)

const testPart = 1000

// begin begins an upload and puts its parts, of which the content has one
// every testPart bytes.
func begin(t *testing.T, s *store, key, content string, m backend.Metadata) (backend.PartUpload, []backend.Part) {
	t.Helper()
	u, err := s.UploadParts(t.Context(), key, backend.PartsOptions{PartSize: testPart, Metadata: m})
	require.NoError(t, err)
	var parts []backend.Part
	for n := 1; content != ""; n++ {
		head := content[:min(testPart, len(content))]
		content = content[len(head):]
		p, err := u.Put(t.Context(), n, backend.Bytes([]byte(head)))
		require.NoError(t, err)
		parts = append(parts, p)
	}
	return u, parts
}

// resume goes on with an upload as another process would.
func resume(t *testing.T, dir, key, id string) backend.PartUpload {
	t.Helper()
	u, err := open(t, dir).UploadParts(t.Context(), key, backend.PartsOptions{ID: id, PartSize: testPart})
	require.NoError(t, err)
	return u
}

func uploadFiles(t *testing.T, dir string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, uploadDir, "*"))
	require.NoError(t, err)
	return names
}

func TestPartsSurviveTheProcess(t *testing.T) {
	dir := t.TempDir()
	content := strings.Repeat("0123456789", 250)
	m := backend.Metadata{ModTime: time.Unix(1_000_000, 5), User: map[string]string{backend.ReservedPrefix + "x": "y"}}
	u, parts := begin(t, open(t, dir), "a/b", content, m)
	again := resume(t, dir, "a/b", u.ID())
	got, err := again.Parts(t.Context())
	require.NoError(t, err)
	require.Equal(t, parts, got)
	o, err := again.Complete(t.Context(), got, backend.Condition{Absent: true})
	require.NoError(t, err)
	s := open(t, dir)
	require.Equal(t, content, get(t, s, "a/b"))
	there, err := s.Stat(t.Context(), "a/b")
	require.NoError(t, err)
	require.Equal(t, o.Tag, there.Tag)
	require.True(t, m.ModTime.Equal(there.Metadata.ModTime))
	require.Equal(t, m.User, there.Metadata.User)
	require.Empty(t, uploadFiles(t, dir))
}

// A crash cuts the last line of the log short at any byte. What was said before
// stays, what comes after is understood, and nothing is made up.
func TestTornLogClaimsNoPartTooMuch(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	content := strings.Repeat("x", 2*testPart) + strings.Repeat("y", testPart) + "z"
	u, parts := begin(t, s, "k", content, backend.Metadata{})
	log := filepath.Join(dir, filepath.FromSlash(uploadPath(u.ID(), uploadLog)))
	whole, err := os.ReadFile(log)
	require.NoError(t, err)
	for cut := range whole {
		require.NoError(t, os.WriteFile(log, whole[:cut], 0o666))
		again := resume(t, dir, "k", u.ID())
		before, err := again.Parts(t.Context())
		require.NoError(t, err)
		for i, p := range before {
			require.Equal(t, parts[i], p, "cut at %d", cut)
		}
		for n := len(before) + 1; n <= len(parts); n++ {
			from := (n - 1) * testPart
			_, err := again.Put(t.Context(), n, backend.Bytes([]byte(content[from:min(from+testPart, len(content))])))
			require.NoError(t, err)
		}
		got, err := again.Parts(t.Context())
		require.NoError(t, err)
		require.Equal(t, parts, got, "cut at %d", cut)
	}
	_, err = u.Complete(t.Context(), parts, backend.Condition{})
	require.NoError(t, err)
	require.Equal(t, content, get(t, s, "k"))
}

// A part that is being put again is missing until it is there, whatever comes
// between: its old bytes are gone.
func TestPartThatFailsToBeReplacedIsMissing(t *testing.T) {
	s := open(t, t.TempDir())
	u, _ := begin(t, s, "k", "first", backend.Metadata{})
	s.hooks.write = func(f *os.File, p []byte) (int, error) {
		n, _ := f.Write(p[:1])
		return n, syscall.ENOSPC
	}
	_, err := u.Put(t.Context(), 1, backend.Bytes([]byte("other")))
	require.ErrorIs(t, err, backend.ErrNoSpace)
	parts, err := u.Parts(t.Context())
	require.NoError(t, err)
	require.Empty(t, parts)
}

func TestCrashAfterTheRenameLeavesNoUpload(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	u, parts := begin(t, s, "k", "content", backend.Metadata{})
	data := filepath.Join(dir, filepath.FromSlash(uploadPath(u.ID(), uploadData)))
	require.NoError(t, os.Rename(data, filepath.Join(dir, "k")))
	_, err := s.UploadParts(t.Context(), "k", backend.PartsOptions{ID: u.ID(), PartSize: testPart})
	require.ErrorIs(t, err, fs.ErrNotExist)
	_, err = u.Complete(t.Context(), parts, backend.Condition{})
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.NoError(t, u.Abort(t.Context()))
	require.Empty(t, uploadFiles(t, dir))
	require.Equal(t, "content", get(t, s, "k"))
}

func TestCompleteCopiesWhereNoRenameLeads(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	content := strings.Repeat("c", testPart+1)
	u, parts := begin(t, s, "mount/k", content, backend.Metadata{})
	rename := s.hooks.rename
	s.hooks.rename = func(f *durable.File, name string, opts ...durable.Option) error {
		if strings.HasPrefix(f.TempName(), filepath.FromSlash(uploadDir)) || strings.HasPrefix(f.TempName(), uploadDir) {
			return &os.LinkError{Op: "rename", Old: f.TempName(), New: name, Err: syscall.EXDEV}
		}
		return rename(f, name, opts...)
	}
	_, err := u.Complete(t.Context(), parts, backend.Condition{Absent: true})
	require.NoError(t, err)
	require.Equal(t, content, get(t, s, "mount/k"))
	require.Empty(t, uploadFiles(t, dir))
}

// With mode=keep a Complete may take the permission to write before it fails.
func TestCompleteMayBeTriedAgain(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, "mode", "keep")
	u, parts := begin(t, s, "k", "content", backend.Metadata{User: map[string]string{"mode": "100400"}})
	rename := s.hooks.rename
	s.hooks.rename = func(*durable.File, string, ...durable.Option) error { return syscall.EIO }
	_, err := u.Complete(t.Context(), parts, backend.Condition{})
	require.ErrorIs(t, err, backend.ErrUnavailable)
	s.hooks.rename = rename
	_, err = u.Complete(t.Context(), parts, backend.Condition{})
	require.NoError(t, err)
	info, err := os.Stat(filepath.Join(dir, "k"))
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o400), info.Mode())
}

func TestSweepLeavesUploadsTheirTime(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	u, parts := begin(t, s, "k", "content", backend.Metadata{})
	n, err := s.Sweep(t.Context(), time.Now().Add(uploadPatience-time.Minute))
	require.NoError(t, err)
	require.Zero(t, n)
	got, err := u.Parts(t.Context())
	require.NoError(t, err)
	require.Equal(t, parts, got)
	n, err = s.Sweep(t.Context(), time.Now().Add(uploadPatience+time.Minute))
	require.NoError(t, err)
	require.Equal(t, 1, n)
	require.Empty(t, uploadFiles(t, dir))
}

func TestUploadIDIsNoPath(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	for _, id := range []string{"../../../../etc/passwd", strings.Repeat("A", 15), "AAAAAAAAAAAAAAA/AAAAAAAAAA", strings.Repeat("A", 65)} {
		_, err := s.UploadParts(t.Context(), "k", backend.PartsOptions{ID: id, PartSize: testPart})
		require.ErrorIs(t, err, fs.ErrNotExist, id)
	}
}

func FuzzReadParts(f *testing.F) {
	f.Add([]byte("\n1 10 ab .\n\n2 - \n\n1 -\n\n3 10"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		for n, p := range readParts(raw) {
			if p.Number != n || n < 1 || p.Size < 0 {
				t.Fatalf("%d: %+v", n, p)
			}
		}
	})
}
