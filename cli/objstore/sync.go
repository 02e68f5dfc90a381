package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/objrepl/replication"
)

func (a *app) syncCommand() *cobra.Command {
	var (
		rules replication.Policy
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
  objstore sync ./data \
    'minio://b?endpoint=http://host:9000&accessKey=env:KEY&secretKey=env:SECRET'`,
		Args: args(2, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := plan.check(); err != nil {
				return err
			}
			s, err := a.places(args)
			if err != nil {
				return err
			}
			if err := s.checkSource(); err != nil {
				return err
			}
			rules.Bandwidth = int64(a.bandwidth)
			if plan.dryRun {
				return s.wrap(a.runPlan(cmd.Context(), plan, force, func(ctx context.Context, r *replication.Replicator, opts ...replication.PlanOption) (res replication.Plan, err error) {
					p, err := s.policy(ctx, r, rules)
					if err != nil {
						return res, err
					}
					return r.PlanOf(ctx, p, opts...)
				}))
			}
			return s.wrap(a.runPass(cmd.Context(), false, func(ctx context.Context, r *replication.Replicator) (res replication.SyncResult, err error) {
				p, err := s.policy(ctx, r, rules)
				if err != nil {
					return res, err
				}
				return r.Sync(ctx, p, forcing(force)...)
			}))
		},
	}
	f := cmd.Flags()
	f.SortFlags = false
	addRuleFlags(f, &rules)
	addForceFlag(f, &force)
	plan.add(f)
	return cmd
}

// forcing returns the options of a pass.
func forcing(force bool) []replication.SyncOption {
	if force {
		return []replication.SyncOption{replication.ForceDeletes()}
	}
	return nil
}
