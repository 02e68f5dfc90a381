package replication_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/objrepl/replication"
)

// Two machines run the same policy, one after the other: the second knows what
// the first has copied.
func ExampleWithStateBackend() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	shared := filepath.Join(dir, "shared") // it is never made: a missing one is an outage
	if err := os.Mkdir(shared, 0o700); err != nil {
		log.Fatal(err)
	}
	for _, machine := range []string{"one", "two"} {
		r, err := replication.New(
			replication.WithStateDir(filepath.Join(dir, machine)),
			// A bucket, say; here a directory that both of them see.
			replication.WithStateBackend("local", map[string]string{"path": shared}, "fleet/"),
		)
		if err != nil {
			log.Fatal(err)
		}
		res, err := r.Sync(ctx, replication.Policy{
			ID:                  "dr",
			SourceBackend:       "local",
			SourceSettings:      map[string]string{"path": "examples/data"},
			DestinationBackend:  "local",
			DestinationSettings: map[string]string{"path": filepath.Join(dir, "copy")},
		})
		if err != nil {
			log.Fatal(err)
		}
		if err := r.Close(); err != nil {
			log.Fatal(err)
		}
		fmt.Println(machine, res.Synced, res.Skipped)
	}
	// Output:
	// one 8 0
	// two 0 8
}
