package main

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/objrepl/replication"
)

func (a *app) policyListCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List all policies",
		Args:  args(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.with(cmd.Context(), func(ctx context.Context, r *replication.Replicator) error {
				policies, err := r.Policies()
				if err != nil {
					return err
				}
				list := struct {
					Policies []replication.Policy `json:"policies"`
					Count    int                  `json:"count"`
				}{Policies: []replication.Policy{}}
				for _, p := range policies {
					list.Policies = append(list.Policies, r.Redacted(p))
				}
				list.Count = len(list.Policies)
				return a.print(list, func(t *table) {
					if list.Count == 0 {
						a.console.Printf("no policies; add one with 'objstore replication add'\n")
						return
					}
					var rows [][]string
					for _, p := range list.Policies {
						last, state := a.lastSync(ctx, r, p.ID)
						rows = append(rows, []string{p.ID, source(p), destination(p), interval(p), yesNo(p.Enabled), last, state})
					}
					t.grid([]column{
						{name: "ID"}, {"SOURCE", true}, {"DESTINATION", true}, {name: "INTERVAL"},
						{name: "ENABLED"}, {name: "LAST SYNC"}, {name: "STATE"},
					}, rows)
				})
			})
		},
	}
}

func (a *app) policyGetCommand() *cobra.Command {
	var id string
	cmd := &cobra.Command{
		Use:   "get",
		Short: "Show a policy, its secrets as ***",
		Args:  args(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.with(cmd.Context(), func(ctx context.Context, r *replication.Replicator) error {
				p, err := r.Policy(id)
				if err != nil {
					return err
				}
				p = r.Redacted(p)
				return a.print(p, func(t *table) { a.showPolicy(ctx, t, p, r) })
			})
		},
	}
	addIDFlag(cmd, &id)
	need(cmd, "id")
	return cmd
}

func (a *app) showPolicy(ctx context.Context, t *table, p replication.Policy, r *replication.Replicator) {
	t.field("id", p.ID)
	t.field("enabled", yesNo(p.Enabled))
	t.field("source", p.SourceBackend)
	for _, name := range slices.Sorted(maps.Keys(p.SourceSettings)) {
		t.field("  "+name, p.SourceSettings[name])
	}
	t.field("destination", p.DestinationBackend)
	for _, name := range slices.Sorted(maps.Keys(p.DestinationSettings)) {
		t.field("  "+name, p.DestinationSettings[name])
	}
	t.field("prefix", p.SourcePrefix)
	t.field("destination prefix", p.DestinationPrefix)
	t.field("include", strings.Join(p.Include, " "))
	t.field("exclude", strings.Join(p.Exclude, " "))
	t.field("interval", interval(p))
	t.field("mode", p.Mode.String())
	t.field("deletes", p.Deletes.String())
	t.field("max delete", p.MaxDelete)
	t.field("trash prefix", p.TrashPrefix)
	if p.ObjectTags {
		t.field("object tags", "copied")
	}
	for _, from := range slices.Sorted(maps.Keys(p.StorageClass)) {
		t.field("storage class "+from, p.StorageClass[from])
	}
	t.field("foreign", p.Foreign.String())
	t.field("drift", p.Drift.String())
	if p.Bandwidth > 0 {
		t.field("bandwidth", humanBytes(p.Bandwidth)+"/s")
	}
	if p.Concurrency > 0 {
		t.field("concurrency", strconv.Itoa(p.Concurrency))
	}
	last, state := a.lastSync(ctx, r, p.ID)
	t.field("last sync", strings.TrimSpace(last+" "+state))
}

func source(p replication.Policy) string {
	return place(p.SourceBackend, p.SourceSettings, p.SourcePrefix)
}

func destination(p replication.Policy) string {
	prefix := p.DestinationPrefix
	switch prefix {
	case "":
		prefix = p.SourcePrefix
	case "/":
		prefix = ""
	}
	return place(p.DestinationBackend, p.DestinationSettings, prefix)
}

// place is where one side of a policy is, as far as one cell goes.
func place(backend string, settings map[string]string, prefix string) string {
	where := settings[placeSettings[backend]]
	switch {
	case where == "":
		where = backend
	default:
		where = schemeOf(backend) + "://" + where
	}
	if prefix != "" {
		where += "/" + prefix
	}
	return where
}

func interval(p replication.Policy) string {
	if p.CheckInterval == 0 {
		return "default"
	}
	return p.CheckInterval.String()
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// lastSync returns when a policy's last pass ended and how.
func (a *app) lastSync(ctx context.Context, r *replication.Replicator, id string) (when, state string) {
	s, err := r.Status(ctx, id)
	switch {
	case err != nil:
		return "", "unknown"
	case s.SyncCount == 0 && s.LastSyncTime.IsZero():
		return "never", ""
	case s.LastError != "":
		return a.time(s.LastSyncTime), "failed"
	}
	return a.time(s.LastSyncTime), "ok"
}
