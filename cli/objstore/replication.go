package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/objrepl/replication"
)

func (a *app) replicationCommand() *cobra.Command {
	cmd := group("replication", "Manage and run stored policies", `Manage and run stored policies.

A policy says what is replicated where. Policies are stored in the state
directory; those of a --config file are used as they are and never stored.`)
	cmd.AddCommand(
		a.policyAddCommand(),
		a.policyUpdateCommand(),
		a.policyEnableCommand("enable", "Take a policy into --all and background passes", true),
		a.policyEnableCommand("disable", "Leave a policy out of --all and background passes", false),
		a.policyListCommand(),
		a.policyGetCommand(),
		a.policyRemoveCommand(),
		a.policySyncCommand(),
		a.policyVerifyCommand(),
		a.policyStatusCommand(),
		a.policyFailuresCommand(),
		a.policyReplayCommand(),
		a.policyHistoryCommand(),
	)
	return cmd
}

// policyAction is what the commands that change a policy print.
type policyAction struct {
	PolicyID string `json:"policy_id"`
	Action   string `json:"action"`
}

func (a *app) printAction(id, action string) error {
	return a.print(policyAction{id, action}, func(t *table) { t.line("%s policy %s", action, id) })
}

func (a *app) policyAddCommand() *cobra.Command {
	var pf policyFlags
	cmd := &cobra.Command{
		Use:   "add",
		Short: "Store a policy",
		Long: `Store a policy. Adding one that is there already, equal in every field, does
nothing.`,
		Example: `  objstore replication add --id=dr \
    --source-backend=local --source-setting=path=/srv/data \
    --dest-backend=s3 --dest-setting=bucket=backup \
    --dest-setting=region=eu-central-1 --interval=5m --max-delete=10%`,
		Args: args(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			p := replication.Policy{ID: pf.given.ID, Enabled: true}
			pf.apply(cmd.Flags(), &p, a)
			return a.with(cmd.Context(), func(ctx context.Context, r *replication.Replicator) error {
				if err := r.AddPolicy(ctx, p); err != nil {
					return err
				}
				return a.printAction(p.ID, "added")
			})
		},
	}
	cmd.Flags().SortFlags = false
	pf.add(cmd.Flags())
	need(cmd, "id", "source-backend", "dest-backend")
	return cmd
}

func (a *app) policyUpdateCommand() *cobra.Command {
	var pf policyFlags
	cmd := &cobra.Command{
		Use:   "update",
		Short: "Change a stored policy",
		Long: `Change a stored policy. What no flag names stays as it is. A setting replaces
the one of its name, and is taken out if its value is empty; with another
backend, all settings have to be given anew. --include= and --exclude= without a
value take all globs out.`,
		Args: args(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.changePolicy(cmd.Context(), pf.given.ID, "updated", func(p *replication.Policy) {
				pf.apply(cmd.Flags(), p, a)
			})
		},
	}
	cmd.Flags().SortFlags = false
	pf.add(cmd.Flags())
	need(cmd, "id")
	return cmd
}

func (a *app) policyEnableCommand(name, short string, enabled bool) *cobra.Command {
	var id string
	cmd := &cobra.Command{
		Use:   name,
		Short: short,
		Args:  args(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.changePolicy(cmd.Context(), id, name+"d", func(p *replication.Policy) { p.Enabled = enabled })
		},
	}
	addIDFlag(cmd, &id)
	need(cmd, "id")
	return cmd
}

func (a *app) changePolicy(ctx context.Context, id, action string, change func(*replication.Policy)) error {
	return a.with(ctx, func(ctx context.Context, r *replication.Replicator) error {
		p, err := r.Policy(id)
		if err != nil {
			return err
		}
		change(&p)
		if err := r.UpdatePolicy(ctx, p); err != nil {
			return err
		}
		return a.printAction(id, action)
	})
}

func (a *app) policyRemoveCommand() *cobra.Command {
	var id string
	cmd := &cobra.Command{
		Use:   "remove",
		Short: "Remove a stored policy, its ledger and status, but nothing it wrote",
		Args:  args(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.with(cmd.Context(), func(ctx context.Context, r *replication.Replicator) error {
				if err := r.RemovePolicy(ctx, id); err != nil {
					return err
				}
				return a.printAction(id, "removed")
			})
		},
	}
	addIDFlag(cmd, &id)
	need(cmd, "id")
	return cmd
}

// addIDFlag adds the flag of a command that takes stored policies alone.
func addIDFlag(cmd *cobra.Command, id *string) {
	cmd.Flags().StringVar(id, "id", "", "`ID` of the policy")
	run := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return ofOneShot(run(cmd, args), *id, "a one-shot sync has no stored policy; give its SRC and DST to 'objstore sync' again")
	}
}
