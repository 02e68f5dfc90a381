package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/objrepl/replication"
)

func (a *app) policyVerifyCommand() *cobra.Command {
	var (
		w             whose
		rules         replication.Policy
		file          string
		read, allowed bool
	)
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Compare both sides of a policy, or two places, and change nothing",
		Long: `Compare both sides of a policy, or two places, and change nothing.

Both sides are listed. What the ledger, the marker of a copy or the checksums of
the stores prove to be equal is not read; of the rest of the same size one side
is read, or both. --read reads everything, and finds also what was changed with
its size and time put back.

SRC and DST are as for 'objstore sync', with the flags that it had.

Kinds of findings: missing at the destination, size, content, metadata,
unreadable, extra (of this policy, gone from the source), foreign (of others).
Exit code 0 is equal, 3 differences found.`,
		Example: `  objstore replication verify --id=dr --read --report differences.jsonl
  objstore replication verify ./data s3://bucket/data?region=eu-central-1`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := w.must(a, cmd, args); err != nil {
				return err
			}
			if w.places == nil {
				if err := noRules(cmd); err != nil {
					return err
				}
			}
			return a.look(cmd.Context(), func(ctx context.Context, r *replication.Replicator, finished func()) error {
				p, err := w.policy(ctx, r, rules)
				if err != nil {
					return err
				}
				a.override(cmd.Flags(), &p)
				var opts []replication.VerifyOption
				if read {
					opts = append(opts, replication.ReadAll())
				}
				if allowed {
					opts = append(opts, replication.AllowExtra())
				}
				report, err := openReport(file)
				if err != nil {
					return err
				}
				if report != nil {
					opts = append(opts, replication.VerifyReportTo(report))
				}
				v, err := r.VerifyOf(ctx, p, opts...)
				err = withError(err, report.close())
				finished()
				if !compared(err) {
					return err
				}
				return withError(err, a.print(v, func(t *table) { showVerification(t, v, file) }))
			})
		},
	}
	f := cmd.Flags()
	f.SortFlags = false
	w.add(cmd)
	f.BoolVar(&read, "read", false, "read every object at both sides and compare all bytes and metadata")
	f.StringVar(&file, "report", "", "write every finding to `FILE`, a JSON object a line")
	f.BoolVar(&allowed, "allow-extra", false, "do not take for a difference what only the destination has")
	addRuleFlags(f, &rules)
	return cmd
}

// compared reports whether a verification came to its end.
func compared(err error) bool {
	return err == nil || errors.Is(err, replication.ErrDifferent) || errors.Is(err, replication.ErrObjectsFailed)
}

func showVerification(t *table, v replication.Verification, file string) {
	shown := v.Findings[:min(len(v.Findings), maxShownItems)]
	var rows [][]string
	for _, f := range shown {
		rows = append(rows, []string{string(f.Kind), sizeOrNone(f.SourceSize), sizeOrNone(f.DestinationSize), f.Key, f.Detail})
	}
	if len(rows) > 0 {
		t.grid([]column{{name: "FINDING"}, {name: "SOURCE"}, {name: "DESTINATION"}, {name: "KEY"}, {"DETAIL", true}}, rows)
	}
	if more := v.Total() - int64(len(shown)); more > 0 {
		where := "--report FILE lists all"
		if file != "" {
			where = "all are in " + file
		}
		t.line("and %s more; %s", humanCount(more), where)
	}
	line := fmt.Sprintf("compared %s, equal %s", objects(v.Compared), humanCount(v.Equal))
	for _, c := range v.Counts {
		line += fmt.Sprintf(", %s %s", c.Kind, humanCount(c.Objects))
	}
	if v.Special > 0 {
		line += ", special files skipped " + humanCount(v.Special)
	}
	t.line("%s, read %s (%s) in %s", line, humanCount(v.Read), humanBytes(v.BytesRead), roundDuration(v.Duration))
}

func sizeOrNone(n int64) string {
	if n < 0 {
		return ""
	}
	return humanBytes(n)
}
