package probe_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/objrepl/replication"
	"github.com/objrepl/replication/probe"
)

func ExampleRun() {
	state, err := os.MkdirTemp("", "state")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(state)
	r, err := replication.New(replication.WithStateDir(state))
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close()

	store := probe.Store{Backend: "memory", Settings: map[string]string{"name": "example"}}
	result, err := probe.Run(context.Background(), r, store, probe.Options{})
	if err != nil {
		log.Fatal(err)
	}
	for _, f := range result.Features[:3] {
		fmt.Printf("%s: declared %s, found %s\n", f.Name, f.Declared, f.Found)
	}
	// Output:
	// put if-absent: declared yes, found honoured
	// put if-match: declared yes, found honoured
	// delete if-match: declared yes, found honoured
}
