// Command objstore replicates objects between stores from the command line.
//
// It is a thin face of package replication: flags in, one library call, text
// out. Data goes to standard output and everything else to standard error;
// `-o json` and `-o yaml` have stable fields.
//
// The exit code is 0 if all was done, 1 if the command failed, 2 for wrong
// usage, 3 if some objects failed, 4 if the delete brake or an empty source
// stopped a sync, 5 if another process holds the policy's lock, and 130 after
// SIGINT or SIGTERM.
package main

import (
	"context"
	"os"
)

func main() {
	console := newConsole(os.Stderr)
	ctx, stop := interruptible(context.Background(), console)
	a := &app{stdin: os.Stdin, stdout: os.Stdout, columns: terminalColumns(os.Stdout), console: console}
	err := a.command().ExecuteContext(ctx)
	code := exitCode(ctx, err)
	stop()
	if err != nil {
		console.Printf("objstore: %s\n", describe(err, hints()))
	}
	os.Exit(code)
}
