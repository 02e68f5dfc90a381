package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/objrepl/replication"
)

// defaultHistory is how many passes `history` lists unless told.
const defaultHistory = 20

func (a *app) policyHistoryCommand() *cobra.Command {
	var (
		id    string
		limit int
	)
	cmd := &cobra.Command{
		Use:   "history",
		Short: "List the last passes of a policy, the newest first",
		Long: `List the last passes of a policy, the newest first.

The last 1,000 passes are kept, however they ended: done, objects failed, held
back (by the delete brake or an empty source), interrupted, failed. A pass whose
process was killed leaves no line.`,
		Args: args(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if limit < 0 {
				return usagef("0 lists all", "--limit=%d is less than 0", limit)
			}
			return a.with(cmd.Context(), func(ctx context.Context, r *replication.Replicator) error {
				passes, err := r.History(ctx, id, limit)
				if err != nil {
					return err
				}
				list := struct {
					PolicyID string                   `json:"policy_id"`
					Passes   []replication.PassRecord `json:"passes"`
					Count    int                      `json:"count"`
				}{id, passes, len(passes)}
				return a.print(list, func(t *table) {
					if list.Count == 0 {
						a.console.Printf("no passes yet\n")
						return
					}
					t.row("STARTED", "DURATION", "OUTCOME", "SYNCED", "BYTES", "ADOPTED", "DELETED", "FAILED", "SKIPPED", "ERROR")
					for _, p := range passes {
						t.row(localTime(p.Started), roundDuration(p.Duration), passOutcome(p), humanCount(p.Synced), humanBytes(p.BytesTotal),
							humanCount(p.Adopted), humanCount(p.Deleted), humanCount(p.Failed), humanCount(p.Skipped),
							shorten(strings.TrimPrefix(p.Error, fmt.Sprintf("policy %q: ", id)), placeWidth))
					}
				})
			})
		},
	}
	addIDFlag(cmd, &id)
	cmd.Flags().IntVar(&limit, "limit", defaultHistory, "list at most `N` passes, 0 for all")
	need(cmd, "id")
	return cmd
}

// passOutcome says how a pass ended, and what was unusual about it.
func passOutcome(p replication.PassRecord) string {
	text := strings.ReplaceAll(string(p.Outcome), "_", " ")
	if p.Forced {
		text += ", forced"
	}
	if p.Replay {
		text += ", replay"
	}
	return text
}
