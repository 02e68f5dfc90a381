package backendtest_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/backendtest"
	"github.com/objrepl/replication/backend/memory"
)

// Whoever writes a driver runs the suite on it as a test.
func ExampleTest() {
	// In a file of the driver's own package, this is TestConformance.
	testConformance := func(t *testing.T) {
		driver := memory.New() // your driver
		backendtest.Test(t, func(ctx context.Context) (backend.Backend, error) {
			return driver.Open(ctx, backend.Settings{"name": "test"})
		}, backendtest.Options{})
	}
	_ = testConformance
}

// Whoever runs a server that nobody has tried yet runs the suite in a bucket
// there, under a prefix of its own, without a test binary.
func ExampleRun() {
	driver := memory.New()
	open := func(ctx context.Context) (backend.Backend, error) {
		return driver.Open(ctx, backend.Settings{"name": "bucket"})
	}
	report, err := backendtest.Run(context.Background(), open, backendtest.Options{
		Prefix: "objrepl-probe-7f3a/",
		Only:   []string{"put-get", "put-if-absent", "list-order"},
	})
	for _, result := range report.Results {
		fmt.Println(result.Status(), result.Check.Name)
	}
	fmt.Println("faults:", err)
	// Output:
	// pass put-get
	// pass put-if-absent
	// pass list-order
	// faults: <nil>
}

// What a server is known to do otherwise is expected by name, with the place
// that says so.
func ExampleDeviation() {
	_, err := backendtest.Run(context.Background(), func(context.Context) (backend.Backend, error) {
		return memory.NewBackend(), nil
	}, backendtest.Options{
		Only:   []string{"delete-absent"},
		Expect: []backendtest.Deviation{{Check: "delete-absent", Source: "https://example.com/issues/42"}},
	})
	fmt.Println(err)
	// Output:
	// delete-absent: stale deviation (https://example.com/issues/42): the check passed
}
