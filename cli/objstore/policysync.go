package main

import (
	"context"
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/objrepl/replication"
)

func (a *app) policySyncCommand() *cobra.Command {
	var (
		id         string
		all, force bool
		plan       planFlags
	)
	cmd := &cobra.Command{
		Use: "sync",
		// What the same is called over the wire, and what comes to mind.
		SuggestFor: []string{"trigger", "run", "start"},
		Short:      "Run one pass of a policy, or of all enabled ones",
		Long: `Run one pass of a policy, enabled or not, or with --all of every enabled one.

--concurrency and --bandwidth apply to this pass in place of the policy's own.
With --all there is no --bandwidth, and --concurrency is for policies that have
none of their own.`,
		Args: args(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			f := cmd.Flags()
			switch {
			case all == f.Changed("id"):
				return usagef(helpHint(cmd), "give either --id=ID or --all")
			case all && f.Changed("bandwidth"):
				return usagef("set it with 'objstore replication update'", "--bandwidth does not go with --all: each policy has its own")
			case all && plan.dryRun:
				return usagef(helpHint(cmd), "--dry-run goes with --id, not with --all")
			}
			if err := plan.check(); err != nil {
				return err
			}
			if plan.dryRun {
				return a.runPlan(cmd.Context(), plan, force, func(ctx context.Context, r *replication.Replicator, opts ...replication.PlanOption) (replication.Plan, error) {
					return r.Plan(ctx, id, opts...)
				})
			}
			return a.runPass(cmd.Context(), all, func(ctx context.Context, r *replication.Replicator) (replication.SyncResult, error) {
				if all {
					if policies, err := r.Policies(); err == nil && !slices.ContainsFunc(policies, func(p replication.Policy) bool { return p.Enabled }) {
						a.console.Printf("no policy is enabled; see 'objstore replication list'\n")
					}
					res, err := r.SyncAll(ctx, forcing(force)...)
					return res, asPasses(err)
				}
				if !f.Changed("bandwidth") && !f.Changed("concurrency") {
					return r.SyncPolicy(ctx, id, forcing(force)...)
				}
				p, err := r.Policy(id)
				if err != nil {
					return replication.SyncResult{}, err
				}
				a.override(f, &p)
				return r.Sync(ctx, p, forcing(force)...)
			})
		},
	}
	addIDFlag(cmd, &id)
	cmd.Flags().BoolVar(&all, "all", false, "every enabled policy")
	addForceFlag(cmd.Flags(), &force)
	plan.add(cmd.Flags())
	return cmd
}

// override puts what was given for this run in place of the policy's own.
func (a *app) override(f *pflag.FlagSet, p *replication.Policy) {
	if f.Changed("bandwidth") {
		p.Bandwidth = int64(a.bandwidth)
	}
	if f.Changed("concurrency") {
		p.Concurrency = a.concurrency
	}
}
