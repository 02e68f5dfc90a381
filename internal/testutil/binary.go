package testutil

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gofrs/flock"
)

// Names of the servers that can be built, and of one program that is none.
const (
	ServerMinIO        = "minio"
	ServerVersityGW    = "versitygw"
	ServerFakeGCS      = "fake-gcs-server"
	ServerAzurite      = "azurite"     // installed by npm, see npm.go
	ProgramParquetRows = "parquetrows" // see ParquetRows
)

// serverPackages holds the main package of each program. They are pinned by the
// nested module in directory servers, but for those in serverModules.
var serverPackages = map[string]string{
	ServerMinIO:        "github.com/minio/minio",
	ServerVersityGW:    "github.com/versity/versitygw/cmd/versitygw",
	ServerFakeGCS:      "github.com/fsouza/fake-gcs-server",
	ServerAzurite:      "azurite",
	ProgramParquetRows: ".",
}

// serverModules names the directories of programs that are pinned apart from the
// others, so that the libraries of one do not move those of another.
var serverModules = map[string]string{
	ServerFakeGCS:      "gcsserver",
	ServerAzurite:      "azurite", // a package of npm
	ProgramParquetRows: "parquetrows",
}

const (
	// cacheDirEnv names another directory to keep the built servers in.
	cacheDirEnv = "OBJREPL_TEST_SERVERS"

	rootModule = "github.com/objrepl/replication"

	buildTimeout = 20 * time.Minute
	lockPoll     = 100 * time.Millisecond
)

// buildFlags and buildEnv are part of the cache key. Without cgo the build needs
// no C compiler and the binary no libc.
var (
	buildFlags = []string{"-trimpath", "-ldflags=-s -w"}
	buildEnv   = []string{"GOWORK=off", "GOFLAGS=-mod=readonly -buildvcs=false", "CGO_ENABLED=0",
		"GOOS=" + runtime.GOOS, "GOARCH=" + runtime.GOARCH}
)

// Servers returns the names [Build] knows, sorted.
func Servers() []string {
	var names []string
	for name := range serverPackages {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Build returns the path of the named server's binary, building it first if the
// cache has none. The cache is objrepl-testservers in the user's cache directory,
// or $OBJREPL_TEST_SERVERS; its entries are keyed by everything the binary
// depends on, so they never go stale. Processes that ask at the same time build
// once and wait for each other. A build that fails or takes longer than 20
// minutes is an error with the end of the go command's output.
func Build(ctx context.Context, name string) (string, error) {
	pkg, ok := serverPackages[name]
	if !ok {
		return "", fmt.Errorf("build test server: no server named %q", name)
	}
	module, err := nestedModule(cmp.Or(serverModules[name], "servers"))
	if err != nil {
		return "", fmt.Errorf("build test server %s: %w", name, err)
	}
	cache := os.Getenv(cacheDirEnv)
	if cache == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			return "", fmt.Errorf("build test server %s: %w", name, err)
		}
		cache = filepath.Join(user, "objrepl-testservers")
	}
	// go build would take a relative path as relative to the module.
	if cache, err = filepath.Abs(cache); err != nil {
		return "", fmt.Errorf("build test server %s: %w", name, err)
	}
	if name == ServerAzurite {
		return installNpm(ctx, module, cache, name, azuriteScript)
	}
	bin, err := buildCached(ctx, module, cache, name, pkg)
	if err != nil {
		return "", fmt.Errorf("build test server %s: %w", name, err)
	}
	return bin, nil
}

// buildCached builds pkg of the module in directory module into
// cache/<key>/name. The binary appears whole or not at all: it is built under a
// temporary name and renamed.
func buildCached(ctx context.Context, module, cache, name, pkg string) (string, error) {
	key, err := cacheKey(module, "go.mod", "go.sum", "main.go")
	if err != nil {
		return "", err
	}
	bin := filepath.Join(cache, key, name)
	if runtime.GOOS == "windows" {
		bin += ".exe"
	}
	return bin, cached(ctx, bin, func(ctx context.Context, tmp string) error {
		return goBuild(ctx, module, tmp, pkg)
	})
}

// cached makes a file or directory of the cache unless it is there. It appears
// whole or not at all: build writes it under a temporary name.
func cached(ctx context.Context, path string, build func(ctx context.Context, tmp string) error) error {
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, buildTimeout)
	defer cancel()
	lock := flock.New(path + ".lock")
	if _, err := lock.TryLockContext(ctx, lockPoll); err != nil {
		return fmt.Errorf("wait for another build: %w", err)
	}
	defer func() { _ = lock.Close() }()
	if _, err := os.Stat(path); err == nil {
		return nil
	}

	// Whoever holds the lock is the only builder, so what has the temporary name
	// is what a killed one left behind.
	tmp := path + ".tmp"
	if err := os.RemoveAll(tmp); err != nil {
		return err
	}
	if err := build(ctx, tmp); err != nil {
		return errors.Join(err, os.RemoveAll(tmp))
	}
	return os.Rename(tmp, path)
}

func goBuild(ctx context.Context, module, out, pkg string) error {
	args := slices.Concat([]string{"build"}, buildFlags, []string{"-o", out, pkg})
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = module
	cmd.Env = append(os.Environ(), buildEnv...)
	output := newTail(8 << 10)
	cmd.Stdout, cmd.Stderr = output, output
	cmd.WaitDelay = 10 * time.Second

	// See dieWithParent: the thread that starts the child has to outlive it.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	dieWithParent(cmd)
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, output)
	}
	return nil
}

// cacheKey names what a server binary depends on: the pinned sources, those of
// a program of ours, the compiler and its flags, the platform.
func cacheKey(module string, required string, names ...string) (string, error) {
	h := sha256.New()
	fmt.Fprintf(h, "%s\n%q\n%q\n", runtime.Version(), buildFlags, buildEnv)
	for _, name := range append([]string{required}, names...) {
		data, err := os.ReadFile(filepath.Join(module, name))
		if errors.Is(err, fs.ErrNotExist) && name != required {
			continue
		}
		if err != nil {
			return "", err
		}
		fmt.Fprintf(h, "%s %d\n%s", name, len(data), data)
	}
	return fmt.Sprintf("%x", h.Sum(nil)[:8]), nil
}

// nestedModule finds a module nested in this package: in the checkout the
// working directory is in (a test runs in its package's directory), else beside
// this file, which is known unless the test was built with -trimpath.
func nestedModule(name string) (string, error) {
	sub := filepath.Join("internal", "testutil", name)
	if dir, err := os.Getwd(); err == nil {
		for {
			if data, err := os.ReadFile(filepath.Join(dir, "go.mod")); err == nil && isRootModule(data) {
				return filepath.Join(dir, sub), nil
			}
			parent := filepath.Dir(dir)
			if parent == dir {
				break
			}
			dir = parent
		}
	}
	if _, file, _, ok := runtime.Caller(0); ok && filepath.IsAbs(file) {
		dir := filepath.Join(filepath.Dir(file), name)
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
	}
	return "", fmt.Errorf("no checkout of %s above the working directory", rootModule)
}

func isRootModule(gomod []byte) bool {
	for line := range bytes.Lines(gomod) {
		if f := strings.Fields(string(line)); len(f) == 2 && f[0] == "module" {
			return f[1] == rootModule
		}
	}
	return false
}

// builds remembers each server's binary, or why there is none, for the life of
// the process, so that without a network only the first test waits to find out.
var builds = func() map[string]func() (string, error) {
	m := make(map[string]func() (string, error))
	for name := range serverPackages {
		m[name] = sync.OnceValues(func() (string, error) { return Build(buildContext, name) })
	}
	return m
}()

// buildContext ends with the test process: Main cancels it so that no build
// outlives the tests that wanted it.
var buildContext, cancelBuilds = context.WithCancel(context.Background())

func serverBinary(name string) (string, error) { return builds[name]() }
