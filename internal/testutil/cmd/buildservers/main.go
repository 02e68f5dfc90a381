// Buildservers builds the servers that the tests run against into the cache the
// tests look in, and prints their paths. CI runs it before `go test`, whose time
// limit per package a cold build could exceed.
//
//	go run ./internal/testutil/cmd/buildservers [name ...]
//
// Without a name it builds all of them. OBJREPL_TEST_SERVERS names another cache
// directory, for the tests too.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"time"

	"github.com/objrepl/replication/internal/testutil"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	names := os.Args[1:]
	if len(names) == 0 {
		names = testutil.Servers()
	}
	for _, name := range names {
		start := time.Now()
		bin, err := testutil.Build(ctx, name)
		if err != nil {
			fmt.Fprintln(os.Stderr, "buildservers:", err)
			os.Exit(1)
		}
		fmt.Fprintf(os.Stderr, "buildservers: %s ready in %s\n", name, time.Since(start).Round(time.Millisecond))
		fmt.Println(bin)
	}
}
