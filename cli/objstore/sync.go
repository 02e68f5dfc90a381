package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/objrepl/replication"
)

func (a *app) syncCommand() *cobra.Command {
	var (
		p     replication.Policy
		force bool
		plan  planFlags
	)
	cmd := &cobra.Command{
		Use:   "sync SRC DST",
		Short: "Replicate SRC to DST once",
		Long: `Replicate SRC to DST once. Each is a directory or a URL.

The ledger of what was copied is kept under an id made of SRC and DST, so the
same sync again copies only what has changed, and deletes at DST what is gone
from SRC, of what it wrote there itself and nothing else.`,
		Example: `  objstore sync ./data ./backup
  objstore sync ./data 's3://bucket/prefix?region=eu-central-1'
  objstore sync 'minio://bucket/a?endpoint=http://localhost:9000&accessKey=env:KEY&secretKey=env:SECRET' ./a`,
		Args: args(2, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := plan.check(); err != nil {
				return err
			}
			from, to, err := a.sides(args[0], args[1])
			if err != nil {
				return err
			}
			p.Enabled = true
			p.Bandwidth = int64(a.bandwidth)
			p.SourceBackend, p.SourceSettings = from.backend, from.settings
			p.DestinationBackend, p.DestinationSettings = to.backend, to.settings
			p.SourcePrefix, p.DestinationPrefix = mapPrefix(from.prefix, to.prefix)
			if plan.dryRun {
				return a.runPlan(cmd.Context(), plan, force, func(ctx context.Context, r *replication.Replicator, opts ...replication.PlanOption) (res replication.Plan, err error) {
					if p.ID, err = syncID(ctx, r, from, to); err != nil {
						return res, err
					}
					return r.PlanOf(ctx, p, opts...)
				})
			}
			err = a.runPass(cmd.Context(), false, func(ctx context.Context, r *replication.Replicator) (res replication.SyncResult, err error) {
				if p.ID, err = syncID(ctx, r, from, to); err != nil {
					return res, err
				}
				return r.Sync(ctx, p, forcing(force)...)
			})
			if err != nil {
				// The id in the library's text tells a person nothing.
				return fmt.Errorf("sync %s to %s: %w", from.shown, to.shown, err)
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.SortFlags = false
	addRuleFlags(f, &p)
	addForceFlag(f, &force)
	plan.add(f)
	return cmd
}

// sides reads SRC and DST.
func (a *app) sides(src, dst string) (from, to location, err error) {
	if from, err = parseLocation(src); err != nil {
		return from, to, usagef(locationHint(err), "SRC: %w", err)
	}
	if to, err = parseLocation(dst); err != nil {
		return from, to, usagef(locationHint(err), "DST: %w", err)
	}
	if from.backend == "local" {
		if err := checkDirectory(from.settings["path"], from.shown); err != nil {
			return from, to, fmt.Errorf("SRC: %w", err)
		}
	}
	a.warnOfSecrets(from.backend, from.settings)
	a.warnOfSecrets(to.backend, to.settings)
	return from, to, nil
}

func locationHint(err error) string {
	if h := hintFor(err, nil); h != "" {
		return h
	}
	return "see 'objstore sync --help'"
}

// checkDirectory keeps a misspelt path from being taken for an empty source.
func checkDirectory(path, shown string) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("directory %q does not exist", shown)
	case err != nil:
		return err
	case !info.IsDir():
		return fmt.Errorf("%q is not a directory; 'objstore put' copies a single file", shown)
	}
	return nil
}

// syncID derives the id of a one-shot sync from the places of its two sides, so
// that the next one finds the ledger of this one. Credentials, filters and modes
// are not part of it: they may change from run to run.
func syncID(ctx context.Context, r *replication.Replicator, from, to location) (string, error) {
	sum := sha256.New()
	for _, l := range []location{from, to} {
		where, err := identity(ctx, r, l)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(sum, "%q %q\n", where, l.prefix)
	}
	return "sync-" + hex.EncodeToString(sum.Sum(nil)[:6]), nil
}

// identity names the place of a location in one spelling, whatever path or
// driver leads there.
func identity(ctx context.Context, r *replication.Replicator, l location) (string, error) {
	if l.backend == "memory" {
		return l.shown, nil // its Location is another one in every process
	}
	b, err := r.OpenBackend(ctx, l.backend, l.settings)
	if err != nil {
		return "", err
	}
	where := b.Properties().Location
	if where == "" {
		where = l.shown
	}
	return where, b.Close()
}

// mapPrefix turns "what is below from goes below to" into the fields of a
// policy, where an empty destination prefix means that keys stay as they are.
func mapPrefix(from, to string) (source, destination string) {
	if from != "" && to == "" {
		return from, "/"
	}
	return from, to
}

// forcing returns the options of a pass.
func forcing(force bool) []replication.SyncOption {
	if force {
		return []replication.SyncOption{replication.ForceDeletes()}
	}
	return nil
}
