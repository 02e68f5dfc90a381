package s3test

import (
	"bytes"
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/internal/drivertest"
	"github.com/objrepl/replication/internal/testutil"
)

// BenchmarkPut4KiB reports what one Put of 4 KiB costs this process, the
// server's part not included.
func BenchmarkPut4KiB(b *testing.B, driver backend.Driver, server *testutil.Server) {
	store := drivertest.Open(b, driver, Settings(server, server.NewBucket(b)))
	data := bytes.Repeat([]byte("x"), 4<<10)
	var next atomic.Int64
	put := func(ctx context.Context) {
		key := fmt.Sprintf("dir%02d/object%08d", next.Add(1)%50, next.Load())
		if _, err := store.Put(ctx, key, backend.Bytes(data), backend.PutOptions{}); err != nil {
			b.Error(err)
		}
	}
	put(b.Context())
	b.SetParallelism(16) // goroutines for each CPU
	begin := cpuTime()
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			put(b.Context())
		}
	})
	b.ReportMetric(float64((cpuTime()-begin).Microseconds())/float64(b.N), "cpu-us/op")
}

// BenchmarkList reports what listing one object costs this process.
func BenchmarkList(b *testing.B, driver backend.Driver, server *testutil.Server) {
	store := drivertest.Open(b, driver, Settings(server, server.NewBucket(b)))
	const objects = 1000
	for i := range objects {
		if _, err := store.Put(b.Context(), fmt.Sprintf("dir/object%08d", i), backend.Bytes(nil), backend.PutOptions{}); err != nil {
			b.Fatal(err)
		}
	}
	begin := cpuTime()
	for b.Loop() {
		n := 0
		for page, err := range store.List(b.Context(), backend.ListOptions{}) {
			if err != nil {
				b.Fatal(err)
			}
			n += len(page)
		}
		if n != objects {
			b.Fatalf("listed %d objects of %d", n, objects)
		}
	}
	b.ReportMetric(float64((cpuTime()-begin).Nanoseconds())/float64(b.N)/objects, "cpu-ns/object")
}
