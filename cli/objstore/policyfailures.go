package main

import (
	"context"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/objrepl/replication"
)

func (a *app) policyFailuresCommand() *cobra.Command {
	var w whose
	cmd := &cobra.Command{
		Use:   "failures",
		Short: "List the objects that a policy's passes keep failing at",
		Long: `List the objects that the passes of a policy, or of a one-shot sync, keep
failing at. A one-shot sync is named by its id, or by the same SRC and DST.`,
		Example: `  objstore replication failures --id=dr
  objstore replication failures ./data ./backup`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := w.must(a, cmd, args); err != nil {
				return err
			}
			return a.remembered(cmd.Context(), &w, func(ctx context.Context, r *replication.Replicator, id string) error {
				letters, err := r.Failures(ctx, id)
				if err != nil {
					return err
				}
				list := struct {
					PolicyID string                   `json:"policy_id"`
					Failures []replication.DeadLetter `json:"failures"`
					Count    int                      `json:"count"`
				}{id, letters, len(letters)}
				return a.print(list, func(t *table) {
					if list.Count == 0 {
						a.console.Printf("no failures\n")
						return
					}
					var rows [][]string
					for _, d := range letters {
						rows = append(rows, []string{
							d.Key, humanCount(int64(d.Attempts)), a.time(d.First), a.time(d.Last), a.time(d.NextTry), d.Reason,
						})
					}
					t.grid([]column{
						{name: "KEY"}, {name: "ATTEMPTS"}, {name: "FIRST FAILED"}, {name: "LAST FAILED"},
						{name: "NEXT TRY"}, {"REASON", true},
					}, rows)
				})
			})
		},
	}
	w.add(cmd)
	return cmd
}

func (a *app) policyReplayCommand() *cobra.Command {
	var (
		w     whose
		rules replication.Policy
	)
	cmd := &cobra.Command{
		Use:   "replay",
		Short: "Try again the objects that a policy's passes keep failing at",
		Long: `Try again the objects that the passes of a policy, or of a one-shot sync, keep
failing at, and nothing else. The same rules hold as in a pass: what is gone
from the source is deleted within the brake, and none of it where the source has
no object.

A one-shot sync is named by the same SRC and DST, with the flags that it had:
what they say, credentials above all, is not stored.`,
		Example: `  objstore replication replay --id=dr
  objstore replication replay ./data ./backup --foreign=overwrite`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := w.must(a, cmd, args); err != nil {
				return err
			}
			if w.places == nil {
				if err := noRules(cmd); err != nil {
					return err
				}
				err := a.runPass(cmd.Context(), false, func(ctx context.Context, r *replication.Replicator) (replication.SyncResult, error) {
					return r.Replay(ctx, w.id)
				})
				return ofOneShot(err, w.id, "a one-shot sync has no stored policy; give SRC and DST in place of --id")
			}
			rules.Bandwidth = int64(a.bandwidth)
			return w.places.wrap(a.runPass(cmd.Context(), false, func(ctx context.Context, r *replication.Replicator) (res replication.SyncResult, err error) {
				p, err := w.places.policy(ctx, r, rules)
				if err != nil {
					return res, err
				}
				return r.ReplayOf(ctx, p)
			}))
		},
	}
	cmd.Flags().SortFlags = false
	w.add(cmd)
	addRuleFlags(cmd.Flags(), &rules)
	return cmd
}

// noRules refuses flags that a stored policy has an answer to.
func noRules(cmd *cobra.Command) error {
	rules := pflag.NewFlagSet("", pflag.ContinueOnError)
	addRuleFlags(rules, new(replication.Policy))
	var wrong error
	rules.VisitAll(func(f *pflag.Flag) {
		if wrong == nil && cmd.Flags().Changed(f.Name) {
			wrong = usagef("'objstore replication update' changes a policy", "--%s goes with SRC and DST, not with --id", f.Name)
		}
	})
	return wrong
}
