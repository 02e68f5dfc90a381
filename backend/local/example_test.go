package local_test

import (
	"context"
	"fmt"
	"os"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/local"
)

func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "objects")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)

	settings, err := local.Driver.Schema().Resolve(map[string]string{"path": dir})
	if err != nil {
		fmt.Println(err)
		return
	}
	store, err := local.Driver.Open(ctx, settings)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer store.Close()

	first := backend.PutOptions{If: backend.Condition{Absent: true}}
	for range 2 {
		_, err = store.Put(ctx, "reports/2024.txt", backend.Bytes([]byte("all is well")), first)
		fmt.Println(err)
	}
	for page, err := range store.List(ctx, backend.ListOptions{}) {
		for _, object := range page {
			fmt.Println(object.Key, object.Size, err)
		}
	}
	// Output:
	// <nil>
	// put local "reports/2024.txt": the object is there already: file already exists
	// reports/2024.txt 11 <nil>
}
