package replication

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

func ExampleReplicator_Verify() {
	dir := exampleDir()
	defer os.RemoveAll(dir)
	r, err := New(WithStateDir(filepath.Join(dir, "state")))
	if err != nil {
		panic(err)
	}
	defer r.Close()
	ctx := context.Background()
	err = r.AddPolicy(ctx, Policy{
		ID:                  "backup",
		SourceBackend:       "local",
		SourceSettings:      map[string]string{"path": "examples/data/docs"},
		DestinationBackend:  "local",
		DestinationSettings: map[string]string{"path": filepath.Join(dir, "backup")},
	})
	if err != nil {
		panic(err)
	}
	if _, err := r.SyncPolicy(ctx, "backup"); err != nil {
		panic(err)
	}
	if err := os.Remove(filepath.Join(dir, "backup", "inventory.csv")); err != nil {
		panic(err)
	}
	v, err := r.Verify(ctx, "backup", ReadAll(), VerifyFindings(func(f Finding) error {
		fmt.Println(f.Kind, f.Key)
		return nil
	}))
	fmt.Println(v.Equal, errors.Is(err, ErrDifferent))
	// Output:
	// missing inventory.csv
	// 4 true
}
