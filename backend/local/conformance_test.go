package local

import (
	"context"
	"io"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/backendtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// open opens a store with the given settings beside the path.
func open(t testing.TB, path string, settings ...string) *store {
	t.Helper()
	raw := map[string]string{"path": path, "durability": "none"}
	for i := 0; i < len(settings); i += 2 {
		raw[settings[i]] = settings[i+1]
	}
	resolved, err := Driver.Schema().Resolve(raw)
	require.NoError(t, err)
	b, err := Driver.Open(context.Background(), resolved)
	require.NoError(t, err)
	t.Cleanup(func() { b.Close() })
	return b.(*store)
}

func put(t testing.TB, s *store, key, content string, opts ...backend.PutOptions) backend.Object {
	t.Helper()
	var o backend.PutOptions
	if len(opts) > 0 {
		o = opts[0]
	}
	object, err := s.Put(context.Background(), key, backend.Bytes([]byte(content)), o)
	require.NoError(t, err)
	return object
}

func get(t testing.TB, s *store, key string) string {
	t.Helper()
	_, r, err := s.Open(context.Background(), key, backend.OpenOptions{})
	require.NoError(t, err)
	defer r.Close()
	b, err := io.ReadAll(r)
	require.NoError(t, err)
	return string(b)
}

// noXattr stands in for a file system without extended attributes.
func noXattr(*os.File, string, []byte) error { return syscall.ENOTSUP }

// settled leaves out that a stamp is fresh. The suite asks twice and expects
// one stamp, and a slow machine takes long enough for it to settle in between.
type settled struct{ *store }

func (s settled) settle(o backend.Object) backend.Object {
	o.Stamp = strings.TrimSuffix(o.Stamp, string(unsettled))
	return o
}

func (s settled) Stat(ctx context.Context, key string) (backend.Object, error) {
	o, err := s.store.Stat(ctx, key)
	return s.settle(o), err
}

func (s settled) Open(ctx context.Context, key string, opts backend.OpenOptions) (backend.Object, io.ReadCloser, error) {
	o, r, err := s.store.Open(ctx, key, opts)
	return s.settle(o), r, err
}

func (s settled) List(ctx context.Context, opts backend.ListOptions) iter.Seq2[[]backend.Object, error] {
	return func(yield func([]backend.Object, error) bool) {
		for page, err := range s.store.List(ctx, opts) {
			for i := range page {
				page[i] = s.settle(page[i])
			}
			if !yield(page, err) {
				return
			}
		}
	}
}

// TestConformance runs the suite with every setting, and with what differs
// between systems.
func TestConformance(t *testing.T) {
	for name, settings := range map[string]backend.Settings{
		"default":    {},
		"unsynced":   {"durability": "none"},
		"follow":     {"durability": "none", "symlinks": "follow"},
		"keep mode":  {"durability": "none", "mode": "keep"},
		"sidecar":    {"durability": "none"},
		"no openat2": {"durability": "none"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "store")
			missing := filepath.Join(t.TempDir(), "missing")
			if name == "no openat2" {
				useWalk(t) // for the whole process
			} else {
				t.Parallel()
			}
			at := func(path, create string) backendtest.Opener {
				return func(ctx context.Context) (backend.Backend, error) {
					all := maps.Clone(settings)
					all["path"], all["create"] = path, create
					b, err := Driver.Open(ctx, all)
					if err != nil {
						return nil, err
					}
					if name == "sidecar" {
						b.(*store).hooks.setAttr = noXattr
					}
					return settled{b.(*store)}, nil
				}
			}
			require.NoError(t, os.Mkdir(dir, 0o777))
			opts := backendtest.Options{Missing: at(missing, "false"), LargeSize: 3<<20 + 1}
			if settings["mode"] == "keep" {
				// Every object has permission bits, asked for or not.
				for _, c := range backendtest.Checks() {
					if strings.HasPrefix(c.Name, "metadata") {
						opts.Skip = append(opts.Skip, c.Name)
					}
				}
			}
			if name == "default" {
				opts.Objects = 300 // each write waits for the disk
			}
			backendtest.Test(t, at(dir, "true"), opts)
			// Everything that is left is ours, and temporary files are not.
			entries, err := os.ReadDir(dir)
			require.NoError(t, err)
			for _, e := range entries {
				require.Equal(t, reserved, e.Name())
			}
			temps, err := os.ReadDir(filepath.Join(dir, tempDir))
			require.NoError(t, err)
			require.Empty(t, temps)
			require.NoDirExists(t, missing)
		})
	}
}
