package replication_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/objrepl/replication"
)

// A policy that nobody stored keeps its failures too, and can be replayed.
func ExampleReplicator_ReplayOf() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "replication-example-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	source, destination := filepath.Join(dir, "data"), filepath.Join(dir, "copy")
	for name, text := range map[string]string{"data/notes.txt": "ours", "copy/notes.txt": "somebody else's"} {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			log.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			log.Fatal(err)
		}
	}

	r, err := replication.New(replication.WithStateDir(filepath.Join(dir, "state")))
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close()
	p := replication.Policy{
		ID:            "once",
		SourceBackend: "local", SourceSettings: map[string]string{"path": source},
		DestinationBackend: "local", DestinationSettings: map[string]string{"path": destination},
	}
	res, _ := r.Sync(ctx, p) // ErrObjectsFailed
	letters, err := r.Failures(ctx, p.ID)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("failed", res.Failed, letters[0].Key)

	if err := os.Remove(filepath.Join(destination, "notes.txt")); err != nil {
		log.Fatal(err)
	}
	res, err = r.ReplayOf(ctx, p)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("synced", res.Synced)
	// Output:
	// failed 1 notes.txt
	// synced 1
}
