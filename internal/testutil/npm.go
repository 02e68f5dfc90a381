package testutil

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"
)

// installNpm returns the path of a script of a server that npm installs from the
// lock file in directory module, into cache/<key>/name. No package runs a script
// of its own meanwhile.
func installNpm(ctx context.Context, module, cache, name, script string) (string, error) {
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			return "", fmt.Errorf("%s is a program of Node.js: %w", name, err)
		}
	}
	files := []string{"package.json", "package-lock.json"}
	key, err := cacheKey(module, files[0], files[1:]...)
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, key, name)
	err = cached(ctx, dir, func(ctx context.Context, tmp string) error {
		if err := os.Mkdir(tmp, 0o755); err != nil {
			return err
		}
		for _, file := range files {
			data, err := os.ReadFile(filepath.Join(module, file))
			if err == nil {
				err = os.WriteFile(filepath.Join(tmp, file), data, 0o644)
			}
			if err != nil {
				return err
			}
		}
		return npmCI(ctx, tmp)
	})
	return filepath.Join(dir, filepath.FromSlash(script)), err
}

func npmCI(ctx context.Context, dir string) error {
	cmd := exec.CommandContext(ctx, "npm", "ci", "--ignore-scripts", "--omit=dev", "--no-audit", "--no-fund")
	cmd.Dir = dir
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
		return fmt.Errorf("npm ci: %w\n%s", err, output)
	}
	return nil
}
