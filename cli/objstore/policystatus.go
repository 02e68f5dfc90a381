package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/objrepl/replication"
)

func (a *app) policyStatusCommand() *cobra.Command {
	var id string
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show what policies did so far",
		Args:  args(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.with(cmd.Context(), func(ctx context.Context, r *replication.Replicator) error {
				if cmd.Flags().Changed("id") {
					s, err := r.Status(ctx, id)
					if err != nil {
						return err
					}
					return a.print(statusOf(s), func(t *table) { showStatus(t, s) })
				}
				return a.printStatuses(ctx, r)
			})
		},
	}
	addIDFlag(cmd, &id)
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
		t.row("ID", "ENABLED", "LAST SYNC", "PASSES", "SYNCED", "DELETED", "ERRORS", "BYTES", "LAST ERROR")
		for _, s := range statuses {
			t.row(shorten(s.PolicyID, idWidth), yesNo(s.Enabled), localTime(s.LastSyncTime), humanCount(s.SyncCount),
				humanCount(s.TotalObjectsSynced), humanCount(s.TotalObjectsDeleted), humanCount(s.TotalErrors),
				humanBytes(s.TotalBytesSynced), shorten(s.LastError, placeWidth))
		}
	})
}

func showStatus(t *table, s replication.Status) {
	t.field("id", s.PolicyID)
	t.field("enabled", yesNo(s.Enabled))
	t.field("source", s.SourceBackend)
	t.field("destination", s.DestinationBackend)
	t.field("passes", humanCount(s.SyncCount))
	t.field("objects synced", humanCount(s.TotalObjectsSynced))
	t.field("objects deleted", humanCount(s.TotalObjectsDeleted))
	t.field("bytes synced", humanBytes(s.TotalBytesSynced))
	t.field("errors", humanCount(s.TotalErrors))
	if s.SyncCount > 0 {
		t.field("average duration", roundDuration(s.AverageSyncDuration))
		t.field("last sync", localTime(s.LastSyncTime))
		t.field("last result", summary(s.LastResult))
	} else {
		t.field("last sync", "never")
	}
	t.field("last error", s.LastError)
	if s.DeadLetters > 0 {
		t.field("failing objects", humanCount(int64(s.DeadLetters))+" (objstore replication failures --id="+s.PolicyID+")")
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
