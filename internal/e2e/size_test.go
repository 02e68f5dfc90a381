package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/objrepl/replication/internal/testutil"
)

// smallProgram needs no store but directories.
const smallProgram = `package main

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/objrepl/replication"
	"github.com/objrepl/replication/backend/local"
)

func main() {
	r, err := replication.New(replication.WithStateDir(os.Args[1]), replication.WithDrivers(local.Driver))
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close()
	res, err := r.Sync(context.Background(), replication.Policy{
		ID:            "small",
		SourceBackend: "local", SourceSettings: map[string]string{"path": os.Args[2]},
		DestinationBackend: "local", DestinationSettings: map[string]string{"path": os.Args[3]},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(res.Synced)
}
`

// maxSmallProgram is what the library may add to a program at most, with the
// program and Go's runtime.
const maxSmallProgram = 25 * mib

// A program that replicates directories carries no cloud SDK, and is small.
func TestAProgramWithoutCloudDriversIsSmall(t *testing.T) {
	t.Setenv("CGO_ENABLED", "0")
	dir := t.TempDir()
	main := filepath.Join(dir, "main.go")
	require.NoError(t, os.WriteFile(main, []byte(smallProgram), 0o644))
	binary := testutil.Program(t, "small", "-trimpath", "-ldflags=-s -w", main)

	source, destination := filepath.Join(dir, "source"), filepath.Join(dir, "destination")
	require.NoError(t, os.Mkdir(source, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(source, "file"), []byte("content"), 0o644))
	out, err := exec.CommandContext(t.Context(), binary, filepath.Join(dir, "state"), source, destination).CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Equal(t, "1", string(out))
	requireSameTree(t, source, destination)

	info, err := os.Stat(binary)
	require.NoError(t, err)
	built, err := exec.CommandContext(t.Context(), "go", "version", "-m", binary).Output()
	require.NoError(t, err)
	var modules []string
	for line := range strings.Lines(string(built)) {
		if fields := strings.Fields(line); len(fields) > 2 && fields[0] == "dep" {
			modules = append(modules, fields[1]+" "+fields[2])
			require.Empty(t, ownerOf(fields[1]+"/"))
		}
	}
	require.NotEmpty(t, modules)
	t.Logf("%.1f MiB, %d modules:\n%s", float64(info.Size())/mib, len(modules), strings.Join(modules, "\n"))
	require.Less(t, info.Size(), int64(maxSmallProgram))
}
