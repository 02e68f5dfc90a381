package replication_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/objrepl/replication"
)

// What the last passes of a policy did, the newest first.
func ExampleReplicator_History() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	r, err := replication.New(replication.WithStateDir(filepath.Join(dir, "state")))
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close()
	err = r.AddPolicy(ctx, replication.Policy{
		ID:                  "dr",
		SourceBackend:       "local",
		SourceSettings:      map[string]string{"path": "examples/data"},
		DestinationBackend:  "local",
		DestinationSettings: map[string]string{"path": filepath.Join(dir, "copy")},
	})
	if err != nil {
		log.Fatal(err)
	}
	for range 2 {
		if _, err := r.SyncPolicy(ctx, "dr"); err != nil {
			log.Fatal(err)
		}
	}
	passes, err := r.History(ctx, "dr", 20)
	if err != nil {
		log.Fatal(err)
	}
	for _, p := range passes {
		fmt.Println(p.Outcome, p.Synced, p.Skipped)
	}
	// Output:
	// done 0 8
	// done 8 0
}
