package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/objrepl/replication"
)

func (a *app) policyStatusCommand() *cobra.Command {
	var w whose
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show what policies did so far",
		Long: `Show what all policies did so far; or one, by its id; or a one-shot sync, by its
id or the same SRC and DST.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			given, err := w.given(a, cmd, args)
			if err != nil {
				return err
			}
			if !given {
				return a.with(cmd.Context(), a.printStatuses)
			}
			return a.remembered(cmd.Context(), &w, func(ctx context.Context, r *replication.Replicator, id string) error {
				s, err := r.Status(ctx, id)
				if err != nil {
					return err
				}
				return a.print(statusOf(s), func(t *table) { a.showStatus(t, s) })
			})
		},
	}
	w.add(cmd)
	return cmd
}

// statusDocument is what `status -o json` prints: the fields of the REST
// transport's answer and, after them, what a person asks next.
type statusDocument struct {
	PolicyID            string                 `json:"policy_id"`
	SourceBackend       string                 `json:"source_backend"`
	DestinationBackend  string                 `json:"destination_backend"`
	Enabled             bool                   `json:"enabled"`
	TotalObjectsSynced  int64                  `json:"total_objects_synced"`
	TotalObjectsDeleted int64                  `json:"total_objects_deleted"`
	TotalBytesSynced    int64                  `json:"total_bytes_synced"`
	TotalErrors         int64                  `json:"total_errors"`
	LastSyncTime        *time.Time             `json:"last_sync_time"` // null before the first pass
	AverageSyncDuration string                 `json:"average_sync_duration"`
	SyncCount           int64                  `json:"sync_count"`
	LastResult          replication.SyncResult `json:"last_result"`
	LastError           string                 `json:"last_error"`
	DeadLetters         int                    `json:"dead_letters"`
	Weaker              []string               `json:"weaker"`
}

func statusOf(s replication.Status) statusDocument {
	d := statusDocument{
		s.PolicyID, s.SourceBackend, s.DestinationBackend, s.Enabled,
		s.TotalObjectsSynced, s.TotalObjectsDeleted, s.TotalBytesSynced, s.TotalErrors,
		nil, s.AverageSyncDuration.String(), s.SyncCount, s.LastResult, s.LastError, s.DeadLetters, s.Weaker,
	}
	if !s.LastSyncTime.IsZero() {
		d.LastSyncTime = &s.LastSyncTime
	}
	if d.Weaker == nil {
		d.Weaker = []string{}
	}
	return d
}

func (a *app) printStatuses(ctx context.Context, r *replication.Replicator) error {
	policies, err := r.Policies()
	if err != nil {
		return err
	}
	list := struct {
		Statuses []statusDocument `json:"statuses"`
		Count    int              `json:"count"`
	}{Statuses: []statusDocument{}}
	var statuses []replication.Status
	for _, p := range policies {
		s, err := r.Status(ctx, p.ID)
		if err != nil {
			return err
		}
		statuses = append(statuses, s)
		list.Statuses = append(list.Statuses, statusOf(s))
	}
	list.Count = len(list.Statuses)
	return a.print(list, func(t *table) {
		if list.Count == 0 {
			a.console.Printf("no policies; add one with 'objstore replication add'\n")
			return
		}
		var rows [][]string
		for _, s := range statuses {
			rows = append(rows, []string{
				s.PolicyID, yesNo(s.Enabled), a.time(s.LastSyncTime), humanCount(s.SyncCount),
				humanCount(s.TotalObjectsSynced), humanCount(s.TotalObjectsDeleted), humanCount(s.TotalErrors),
				humanBytes(s.TotalBytesSynced), withoutPolicy(s.LastError, s.PolicyID),
			})
		}
		t.grid([]column{
			{name: "ID"}, {name: "ENABLED"}, {name: "LAST SYNC"}, {name: "PASSES"}, {name: "SYNCED"},
			{name: "DELETED"}, {name: "ERRORS"}, {name: "BYTES"}, {"LAST ERROR", true},
		}, rows)
	})
}

func (a *app) showStatus(t *table, s replication.Status) {
	t.field("id", s.PolicyID)
	if s.SourceBackend != "" { // else of a one-shot sync
		t.field("enabled", yesNo(s.Enabled))
	}
	t.field("source", s.SourceBackend)
	t.field("destination", s.DestinationBackend)
	t.field("passes", humanCount(s.SyncCount))
	t.field("objects synced", humanCount(s.TotalObjectsSynced))
	t.field("objects deleted", humanCount(s.TotalObjectsDeleted))
	t.field("bytes synced", humanBytes(s.TotalBytesSynced))
	t.field("errors", humanCount(s.TotalErrors))
	if s.SyncCount > 0 {
		t.field("average duration", roundDuration(s.AverageSyncDuration))
		t.field("last sync", a.time(s.LastSyncTime))
		t.field("last result", summary(s.LastResult))
	} else {
		t.field("last sync", "never")
	}
	t.field("last error", withoutPolicy(s.LastError, s.PolicyID))
	if s.DeadLetters > 0 {
		t.field("failing objects", humanCount(int64(s.DeadLetters))+" ("+a.seeAlso("replication failures --id="+s.PolicyID)+")")
	}
	t.field("failures file", s.LastResult.FailuresFile)
	for _, sentence := range s.Weaker {
		t.field("weaker", sentence)
	}
}

// roundDuration keeps three or so digits: 1.23s, 45ms, 1h2m3s.
func roundDuration(d time.Duration) string {
	switch {
	case d >= time.Minute:
		return d.Round(time.Second).String()
	case d >= time.Second:
		return d.Round(10 * time.Millisecond).String()
	case d >= time.Millisecond:
		return d.Round(100 * time.Microsecond).String()
	}
	return d.Round(time.Microsecond).String()
}
