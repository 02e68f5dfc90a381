package replication_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/objrepl/replication"
)

// Keep a directory replicated to another one.
func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	source, destination := filepath.Join(dir, "data"), filepath.Join(dir, "copy")
	if err := os.Mkdir(source, 0o755); err != nil {
		log.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(source, "hello.txt"), []byte("hello"), 0o644); err != nil {
		log.Fatal(err)
	}

	r, err := replication.New(replication.WithStateDir(filepath.Join(dir, "state")))
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close()
	err = r.AddPolicy(ctx, replication.Policy{
		ID:                  "copy",
		SourceBackend:       "local",
		SourceSettings:      map[string]string{"path": source},
		DestinationBackend:  "local",
		DestinationSettings: map[string]string{"path": destination},
		Enabled:             true,
	})
	if err != nil {
		log.Fatal(err)
	}
	for range 2 {
		res, err := r.SyncPolicy(ctx, "copy")
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("synced %d, unchanged %d\n", res.Synced, res.Skipped)
	}
	// Output:
	// synced 1, unchanged 0
	// synced 0, unchanged 1
}

// New reports everything that is wrong at once.
func ExampleNew() {
	_, err := replication.New(
		replication.WithConcurrency(0),
		replication.WithBackend("archive", "tape", nil),
	)
	fmt.Println(err)
	// Output:
	// replication: WithConcurrency: 0 is not within 1 to 1024
	// backend "archive": unknown backend "tape"; known are local, memory
	// no state directory; add WithStateDir
}

// Errors have classes. Objects that failed are counted and listed, and do not
// keep others from being replicated.
func ExampleReplicator_SyncPolicy() {
	sync := func(r *replication.Replicator) {
		res, err := r.SyncPolicy(context.Background(), "dr")
		switch {
		case err == nil:
			fmt.Println("all done")
		case errors.Is(err, replication.ErrObjectsFailed):
			for _, e := range res.Errors {
				log.Print(e)
			}
		case errors.Is(err, replication.ErrBrake), errors.Is(err, replication.ErrEmptySource):
			log.Print("look before you run it again with replication.ForceDeletes(): ", err)
		case errors.Is(err, replication.ErrLocked):
			log.Print("somebody else is at it: ", err)
		default:
			log.Print(err)
		}
	}
	_ = sync
}

// Policies may come from JSON, as the REST transport has them.
func ExampleParsePolicy() {
	p, err := replication.ParsePolicy([]byte(`{
		"id": "dr", "source_backend": "local", "source_settings": {"path": "/srv/data"},
		"destination_backend": "local", "destination_settings": {"path": "/mnt/dr"},
		"check_interval": "5m", "max_delete": "10%"
	}`))
	fmt.Println(p.ID, p.CheckInterval, p.Enabled, err)
	// Output: dr 5m0s true <nil>
}

// An observer sees what a pass does while it does it.
func ExampleWithObserver() {
	_ = replication.WithObserver(func(e replication.Event) {
		if e.Type == replication.EventSynced {
			fmt.Println(e.PolicyID, e.Key, e.Size)
		}
	})
}

// An audit log keeps a record of every change.
func ExampleOpenAuditFile() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	audit, err := replication.OpenAuditFile(filepath.Join(dir, "audit.jsonl"))
	if err != nil {
		log.Fatal(err)
	}
	defer audit.Close()
	r, err := replication.New(replication.WithStateDir(dir), replication.WithAuditLog(audit))
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close()
	// Output:
}
