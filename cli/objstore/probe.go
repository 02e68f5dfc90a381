package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/objrepl/replication"
	"github.com/objrepl/replication/probe"
)

func (a *app) probeCommand() *cobra.Command {
	var (
		store   storeFlags
		prefix  string
		full    bool
		timeout time.Duration
	)
	cmd := &cobra.Command{
		Use:   "probe [URL]",
		Short: "Find out what a store really honours",
		Long: `Find out what a store really honours, of what a replication relies on.

The store is a directory or a URL, as in sync, or named by --backend and
--setting. It is tried under a random prefix that holds nothing else, and that
is empty again at the end; nothing outside of it is written or deleted. It
takes the permissions to list, read, write and delete. Where a bucket keeps
versions, those of the objects that were tried stay, until a lifecycle rule
removes them.

A short probe takes some 3,500 requests and writes some 30 MiB; the estimate is
said first. --full also races writers against each other, lists thousands of
objects and sends larger ones: some 11,000 requests and 300 MiB. -v shows every
check.

The exit code is 0 if the store is as its driver declares, also where that is
little, and 1 if a check failed, or the probe could not be made.`,
		Example: `  objstore probe 's3://bucket/prefix?region=eu-central-1'
  objstore probe --backend=minio --setting=endpoint=http://localhost:9000 \
    --setting=bucket=b --setting=accessKey=env:KEY \
    --setting=secretKey=env:SECRET -o json`,
		Args: args(0, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := a.probed(cmd, args, &store, prefix)
			if err != nil {
				return err
			}
			if timeout < 0 {
				return usagef(helpHint(cmd), "--timeout is negative")
			}
			return a.with(cmd.Context(), func(ctx context.Context, r *replication.Replicator) error {
				return a.runProbe(ctx, r, s, probe.Options{Full: full, Timeout: timeout})
			})
		},
	}
	f := cmd.Flags()
	store.addTo(f)
	f.StringVar(&prefix, "prefix", "", "`PREFIX` in the store to put the random one under")
	f.BoolVar(&full, "full", false, "make the checks too that race, wait, or write thousands of objects")
	f.DurationVar(&timeout, "timeout", 0, "`TIME` after which the probe ends, and cleans up (default 15m, of a full one 1h)")
	return cmd
}

// probed reads which store to probe.
func (a *app) probed(cmd *cobra.Command, args []string, store *storeFlags, prefix string) (probe.Store, error) {
	switch {
	case len(args) == 0 && store.backend == "":
		return probe.Store{}, usagef(helpHint(cmd), "%s needs a URL or --backend", nameOf(cmd))
	case len(args) == 1 && (store.backend != "" || len(store.settings) > 0 || prefix != ""):
		return probe.Store{}, usagef(helpHint(cmd), "a URL goes without --backend, --setting and --prefix")
	case len(args) == 1:
		l, err := parseLocation(args[0])
		if err != nil {
			return probe.Store{}, usagef(locationHint(err), "%w", err)
		}
		a.warnOfSecrets(l.backend, l.settings)
		return probe.Store{Backend: l.backend, Settings: l.settings, Prefix: l.prefix}, nil
	}
	if err := a.checkStore(cmd, store); err != nil {
		return probe.Store{}, err
	}
	return probe.Store{Backend: store.backend, Settings: store.settings, Prefix: prefix}, nil
}

// runProbe probes a store and prints what was found, also of a probe that was cut
// short.
func (a *app) runProbe(ctx context.Context, r *replication.Replicator, s probe.Store, opts probe.Options) error {
	opts.Begin = func(location string, c probe.Cost) error {
		a.console.Printf("probing %s\nabout %s requests, %s to write and %s to read\n",
			oneLine(location), humanCount(c.Requests), humanBytes(c.BytesWritten), humanBytes(c.BytesRead))
		return nil
	}
	bar := a.console.terminal && a.output == formatTable && !a.verbose
	opts.Progress = func(c probe.Check, done, of int) {
		if bar {
			a.console.Draw(fmt.Sprintf("%d of %d checks  %s", done, of, c.Name))
		}
	}
	result, err := probe.Run(ctx, r, s, opts)
	a.console.Clear()
	if len(result.Checks) == 0 && err != nil {
		return err
	}
	if err := a.print(result, func(t *table) { a.showProbe(t, result) }); err != nil {
		return err
	}
	if errors.Is(err, probe.ErrNotAsDeclared) {
		failed := 0
		for _, c := range result.Checks {
			if c.Status == "fail" {
				failed++
			}
		}
		return fmt.Errorf("%s is not as declared: %d of %d checks failed", result.Location, failed, len(result.Checks))
	}
	return err
}
