package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/objrepl/replication"
)

func (a *app) policyFailuresCommand() *cobra.Command {
	var id string
	cmd := &cobra.Command{
		Use:   "failures",
		Short: "List the objects that a policy's passes keep failing at",
		Args:  args(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.with(cmd.Context(), func(ctx context.Context, r *replication.Replicator) error {
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
					t.row("KEY", "ATTEMPTS", "FIRST FAILED", "LAST FAILED", "NEXT TRY", "REASON")
					for _, d := range letters {
						t.row(shorten(d.Key, idWidth), humanCount(int64(d.Attempts)), localTime(d.First),
							localTime(d.Last), localTime(d.NextTry), shorten(d.Reason, 2*placeWidth))
					}
				})
			})
		},
	}
	addIDFlag(cmd, &id)
	need(cmd, "id")
	return cmd
}

func (a *app) policyReplayCommand() *cobra.Command {
	var id string
	cmd := &cobra.Command{
		Use:   "replay",
		Short: "Try again the objects that a policy's passes keep failing at",
		Long: `Try again the objects that a policy's passes keep failing at, and nothing else.
The same rules hold as in a pass: what is gone from the source is deleted within
the brake, and none of it where the source has no object.`,
		Args: args(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.runPass(cmd.Context(), false, func(ctx context.Context, r *replication.Replicator) (replication.SyncResult, error) {
				return r.Replay(ctx, id)
			})
		},
	}
	addIDFlag(cmd, &id)
	need(cmd, "id")
	return cmd
}
