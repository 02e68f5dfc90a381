package testutil

import (
	"context"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// helloModule writes a module with one command.
func helloModule(t *testing.T, body string) string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module example.com/hello\n\ngo 1.26\n"), 0o644))
	writeMain(t, dir, body)
	return dir
}

func writeMain(t *testing.T, dir, body string) {
	t.Helper()
	main := "package main\n\nfunc main() { " + body + " }\n"
	require.NoError(t, os.WriteFile(filepath.Join(dir, "main.go"), []byte(main), 0o644))
}

func TestConcurrentBuildsOfOneServerBuildOnce(t *testing.T) {
	module, cache := helloModule(t, `println("hello")`), t.TempDir()
	bins, infos := make([]string, 4), make([]fs.FileInfo, 4)
	var wg sync.WaitGroup
	for i := range bins {
		wg.Go(func() {
			var err error
			if bins[i], err = buildCached(t.Context(), module, cache, "hello", "example.com/hello"); assert.NoError(t, err) {
				infos[i], err = os.Stat(bins[i])
				assert.NoError(t, err)
			}
		})
	}
	wg.Wait()
	require.False(t, t.Failed())
	for i := range bins {
		assert.Equal(t, bins[0], bins[i])
		assert.True(t, os.SameFile(infos[0], infos[i]), "built again and replaced")
	}
	out, err := exec.Command(bins[0]).CombinedOutput()
	require.NoError(t, err)
	assert.Equal(t, "hello\n", string(out))

	// Other pinned versions are another binary.
	gomod := filepath.Join(module, "go.mod")
	require.NoError(t, os.WriteFile(gomod, []byte("module example.com/hello\n\ngo 1.25\n"), 0o644))
	other, err := buildCached(t.Context(), module, cache, "hello", "example.com/hello")
	require.NoError(t, err)
	assert.NotEqual(t, bins[0], other)
}

func TestFailedBuildTellsWhyAndCanBeTriedAgain(t *testing.T) {
	module, cache := helloModule(t, `undefined()`), t.TempDir()
	_, err := buildCached(t.Context(), module, cache, "hello", "example.com/hello")
	require.ErrorContains(t, err, "undefined: undefined")

	writeMain(t, module, "")
	bin, err := buildCached(t.Context(), module, cache, "hello", "example.com/hello")
	require.NoError(t, err)
	left, err := filepath.Glob(filepath.Join(filepath.Dir(bin), "*.tmp*"))
	require.NoError(t, err)
	assert.Empty(t, left)
}

func TestBuildEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := buildCached(ctx, helloModule(t, ""), t.TempDir(), "hello", "example.com/hello")
	assert.ErrorIs(t, err, context.Canceled)
}

func TestServersModuleIsFoundFromAnywhereInTheCheckout(t *testing.T) {
	here, err := nestedModule("servers")
	require.NoError(t, err)
	gomod, err := os.ReadFile(filepath.Join(here, "go.mod"))
	require.NoError(t, err)
	assert.Contains(t, string(gomod), "module "+rootModule+"/internal/testutil/servers\n")

	t.Chdir("cmd/buildservers")
	deeper, err := nestedModule("servers")
	require.NoError(t, err)
	assert.Equal(t, here, deeper)

	t.Chdir(t.TempDir()) // then by this source file's own place
	outside, err := nestedModule("servers")
	require.NoError(t, err)
	assert.Equal(t, here, outside)
}

func TestUnknownServerIsAnError(t *testing.T) {
	_, err := Build(t.Context(), "nginx")
	assert.ErrorContains(t, err, `"nginx"`)
}

func TestTailKeepsTheEnd(t *testing.T) {
	out := newTail(10)
	for range 100 {
		n, err := out.Write([]byte("abc"))
		require.NoError(t, err)
		require.Equal(t, 3, n)
	}
	assert.Equal(t, "[...]cabcabcabc", out.String())

	out = newTail(10)
	_, _ = out.Write([]byte(strings.Repeat("x", 50) + "0123456789"))
	assert.Equal(t, "[...]0123456789", out.String())

	out = newTail(10)
	_, _ = out.Write([]byte("short"))
	assert.Equal(t, "short", out.String())
}
