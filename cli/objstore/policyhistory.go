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
		w     whose
		limit int
	)
	cmd := &cobra.Command{
		Use:   "history",
		Short: "List the last passes of a policy, the newest first",
		Long: `List the last passes of a policy, or of a one-shot sync, the newest first. A
one-shot sync is named by its id, or by the same SRC and DST.

The last 1,000 passes are kept, however they ended: done, objects failed, held
back (by the delete brake or an empty source), interrupted, failed. A pass whose
process was killed leaves no line.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := w.must(a, cmd, args); err != nil {
				return err
			}
			if limit < 0 {
				return usagef("0 lists all", "--limit=%d is less than 0", limit)
			}
			return a.remembered(cmd.Context(), &w, func(ctx context.Context, r *replication.Replicator, id string) error {
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
					var rows [][]string
					for _, p := range passes {
						rows = append(rows, []string{
							a.time(p.Started), roundDuration(p.Duration), passOutcome(p), humanCount(p.Synced), humanBytes(p.BytesTotal),
							humanCount(p.Adopted), humanCount(p.Deleted), humanCount(p.Failed), humanCount(p.Skipped),
							withoutPolicy(p.Error, id),
						})
					}
					t.grid([]column{
						{name: "STARTED"}, {name: "DURATION"}, {name: "OUTCOME"}, {name: "SYNCED"}, {name: "BYTES"},
						{name: "ADOPTED"}, {name: "DELETED"}, {name: "FAILED"}, {name: "SKIPPED"}, {"ERROR", true},
					}, rows)
				})
			})
		},
	}
	w.add(cmd)
	cmd.Flags().IntVar(&limit, "limit", defaultHistory, "list at most `N` passes, 0 for all")
	return cmd
}

// withoutPolicy leaves out of an error which policy it is of, where that is said.
func withoutPolicy(text, id string) string {
	return strings.TrimPrefix(text, fmt.Sprintf("policy %q: ", id))
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
