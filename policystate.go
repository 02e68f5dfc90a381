package replication

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"
)

const (
	policiesDir    = "policies"
	statusName     = "status.json"
	ledgerDir      = "ledger"
	failuresName   = "failures.jsonl"
	statusVersion  = 1
	readableLength = 40
)

// policyDir names a policy's directory in the state directory: the readable
// part of its id for people, and a hash since ids may hold anything.
func policyDir(id string) string {
	readable := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' {
			return r
		}
		return '_'
	}, id)
	sum := sha256.Sum256([]byte(id))
	return path.Join(policiesDir, readable[:min(len(readable), readableLength)]+"."+hex.EncodeToString(sum[:6]))
}

// openPolicyDir opens a policy's directory, making it if it is missing.
func openPolicyDir(state *os.Root, id string) (*os.Root, error) {
	dir := policyDir(id)
	if err := state.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	return state.OpenRoot(dir)
}

// statusFile is Status as it is kept. Fields may be added; none changes its
// meaning.
type statusFile struct {
	Version     int         `json:"version"`
	PolicyID    string      `json:"policy_id"`
	Synced      int64       `json:"total_objects_synced"`
	Deleted     int64       `json:"total_objects_deleted"`
	Bytes       int64       `json:"total_bytes_synced"`
	Errors      int64       `json:"total_errors"`
	Passes      int64       `json:"sync_count"`
	TotalTimeNS int64       `json:"total_duration_ns"`
	LastSync    time.Time   `json:"last_sync_time"`
	LastError   string      `json:"last_error,omitempty"`
	Weaker      []string    `json:"weaker,omitempty"`
	Last        lastResult  `json:"last_result"`
	Destination whereabouts `json:"destination,omitzero"`
	Knew        bool        `json:"knew_objects,omitempty"` // some pass had objects there that it knew
}

type lastResult struct {
	Synced     int64 `json:"synced"`
	Adopted    int64 `json:"adopted"`
	Deleted    int64 `json:"deleted"`
	Failed     int64 `json:"failed"`
	Skipped    int64 `json:"skipped"`
	Special    int64 `json:"special"`
	Bytes      int64 `json:"bytes_total"`
	InStore    int64 `json:"bytes_in_store,omitempty"`
	DurationNS int64 `json:"duration_ns"`
}

// readStatus returns the zero status where there is none yet.
func readStatus(ctx context.Context, state *policyState) (statusFile, error) {
	data, _, err := state.read(ctx, statusName)
	if errors.Is(err, fs.ErrNotExist) {
		return statusFile{}, nil
	}
	if err != nil {
		return statusFile{}, err
	}
	var s statusFile
	if err := json.Unmarshal(data, &s); err != nil {
		return statusFile{}, fmt.Errorf("read %s in %s: %w; remove it to begin its totals anew", statusName, state.shown, err)
	}
	if s.Version > statusVersion {
		return statusFile{}, fmt.Errorf("%s in %s has version %d; this program knows %d", statusName, state.shown, s.Version, statusVersion)
	}
	return s, nil
}

// add adds one pass to the totals.
func (s *statusFile) add(r SyncResult, err error, weaker []string) {
	s.Version, s.PolicyID = statusVersion, r.PolicyID
	s.Knew = s.knew() || r.Synced+r.Adopted+r.Skipped > 0
	s.Synced += r.Synced
	s.Deleted += r.Deleted
	s.Bytes += r.BytesTotal
	s.Errors += r.Failed
	s.Passes++
	s.TotalTimeNS += int64(r.Duration)
	s.LastSync = time.Now().UTC()
	s.Weaker = weaker
	s.LastError = ""
	if err != nil {
		s.LastError = err.Error()
		if r.Failed == 0 {
			s.Errors++ // the pass itself
		}
	}
	s.Last = lastResult{
		Synced: r.Synced, Adopted: r.Adopted, Deleted: r.Deleted, Failed: r.Failed,
		Skipped: r.Skipped, Special: r.Special, Bytes: r.BytesTotal, InStore: r.BytesInStore, DurationNS: int64(r.Duration),
	}
}

// knew reports whether any pass had objects at the destination that it knew. Of a
// status from before that was noted, the totals and the last pass tell.
func (s *statusFile) knew() bool { return s.Knew || s.Synced+s.Last.Adopted+s.Last.Skipped > 0 }

func writeStatus(ctx context.Context, state *policyState, s statusFile) error {
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	return state.write(ctx, statusName, append(data, '\n'))
}

// status renders what is kept, together with what the policy says.
func (s statusFile) status(p Policy) Status {
	out := Status{
		PolicyID: p.ID, SourceBackend: p.SourceBackend, DestinationBackend: p.DestinationBackend, Enabled: p.Enabled,
		TotalObjectsSynced: s.Synced, TotalObjectsDeleted: s.Deleted, TotalBytesSynced: s.Bytes,
		TotalErrors: s.Errors, SyncCount: s.Passes, LastSyncTime: s.LastSync, LastError: s.LastError, Weaker: s.Weaker,
	}
	if s.Passes > 0 {
		out.AverageSyncDuration = time.Duration(s.TotalTimeNS / s.Passes)
		out.LastResult = SyncResult{
			PolicyID: p.ID, Synced: s.Last.Synced, Adopted: s.Last.Adopted, Deleted: s.Last.Deleted,
			Failed: s.Last.Failed, Skipped: s.Last.Skipped, Special: s.Last.Special,
			BytesTotal: s.Last.Bytes, BytesInStore: s.Last.InStore, Duration: time.Duration(s.Last.DurationNS),
		}
	}
	return out
}
