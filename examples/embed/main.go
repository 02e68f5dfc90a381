// Command embed keeps a directory replicated to another from within a program:
// it makes a replicator, adds a policy and runs two passes, the second of which
// finds nothing to do.
//
//	go run ./examples/embed [SRC DST]
//
// Without arguments it works on a temporary directory, which it removes.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"os/signal"
	"path/filepath"

	"github.com/objrepl/replication"
)

func main() {
	log.SetFlags(0)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		log.Fatal("embed: ", err)
	}
}

func run(ctx context.Context, args []string) error {
	work, err := os.MkdirTemp("", "embed-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	src, dst, err := directories(work, args)
	if err != nil {
		return err
	}

	// The state directory holds policies and ledgers. A real program keeps it,
	// since the ledger is what makes the next pass cheap.
	r, err := replication.New(replication.WithStateDir(filepath.Join(work, "state")))
	if err != nil {
		return err
	}
	defer r.Close()

	// Adding the same policy at every start of a program does nothing.
	err = r.AddPolicy(ctx, replication.Policy{
		ID:                  "backup",
		SourceBackend:       "local",
		SourceSettings:      map[string]string{"path": src},
		DestinationBackend:  "local",
		DestinationSettings: map[string]string{"path": dst},
		Enabled:             true,
	})
	if err != nil {
		return err
	}
	for pass := 1; pass <= 2; pass++ {
		res, err := r.SyncPolicy(ctx, "backup")
		if err != nil {
			return err
		}
		fmt.Printf("pass %d: synced %d objects, %d bytes, unchanged %d\n", pass, res.Synced, res.BytesTotal, res.Skipped)
	}
	return nil
}

// directories returns those of the command line, or two fresh ones with a
// few files in the first.
func directories(work string, args []string) (src, dst string, err error) {
	if len(args) == 2 {
		return args[0], args[1], nil
	}
	src, dst = filepath.Join(work, "src"), filepath.Join(work, "dst")
	for name, text := range map[string]string{"a.txt": "one", "b.txt": "two", "deep/c.txt": "three"} {
		path := filepath.Join(src, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return "", "", err
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return "", "", err
		}
	}
	return src, dst, nil
}
