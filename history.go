package replication

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"
)

const (
	historyName    = "history.jsonl"
	historyVersion = 1
	// maxHistory bounds the passes that are kept of a policy, and
	// maxHistoryError the bytes of each one's error.
	maxHistory      = 1000
	maxHistoryError = 2 << 10
)

// A PassRecord is what is remembered of one pass of a policy, or of one Replay.
type PassRecord struct {
	// Started is when the pass began, in UTC, and Duration how long it took,
	// to the millisecond.
	Started  time.Time
	Duration time.Duration
	// The numbers are those of its SyncResult.
	Synced, Adopted, Deleted, Failed, Skipped, BytesTotal int64
	// Outcome is how it ended, and Error why, empty if all was done. An error
	// of more than 2 KiB is cut short.
	Outcome PassOutcome
	Error   string
	// Forced: deletions were forced past the brake (see ForceDeletes).
	Forced bool
	// Replay: only dead letters were tried (see Replicator.Replay).
	Replay bool
}

// A PassOutcome is how a pass ended.
type PassOutcome string

// The ways a pass can end. One that was killed leaves no record.
const (
	// PassDone: everything is as the policy wants it.
	PassDone PassOutcome = "done"
	// PassObjectsFailed: ErrObjectsFailed.
	PassObjectsFailed PassOutcome = "objects_failed"
	// PassHeldBack: deletions were held back, ErrBrake or ErrEmptySource;
	// objects may have failed too.
	PassHeldBack PassOutcome = "held_back"
	// PassInterrupted: its context ended before it did.
	PassInterrupted PassOutcome = "interrupted"
	// PassFailed: any other error.
	PassFailed PassOutcome = "failed"
)

// History returns the last passes of a policy, the newest first: at most limit
// of them, and all that are kept, at most 1,000, if limit is not positive. Plans
// and verifications are no passes.
func (r *Replicator) History(ctx context.Context, id string, limit int) (passes []PassRecord, err error) {
	err = r.recall(ctx, id, func(_ Policy, state *policyState) error {
		data, _, err := state.read(ctx, historyName)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if passes, err = readHistory(data, limit); err != nil {
			return fmt.Errorf("read %s in %s, %w", historyName, state.shown, err)
		}
		return nil
	})
	return passes, err
}

// remember adds a pass to the history of its policy, whose lock the caller
// holds. It is replaced whole, so that a crash loses no line of it.
func remember(ctx context.Context, state *policyState, p PassRecord) error {
	data, _, err := state.read(ctx, historyName)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if data, err = appendHistory(data, p); err != nil {
		return err
	}
	return state.write(ctx, historyName, data)
}

// readHistory returns the last passes in a history, the newest first. A last
// line that was cut short is no pass; any other that cannot be read is an error.
func readHistory(data []byte, limit int) ([]PassRecord, error) {
	data, _ = wholeLines(data)
	lines := bytes.Split(bytes.TrimSuffix(data, []byte("\n")), []byte("\n"))
	if len(data) == 0 {
		lines = nil
	}
	out := []PassRecord{}
	for n := len(lines); n > 0 && (limit <= 0 || len(out) < limit); n-- {
		var line historyLine
		if err := json.Unmarshal(lines[n-1], &line); err != nil {
			return nil, fmt.Errorf("line %d: %w; remove the file to forget the passes in it", n, err)
		}
		if line.Version != historyVersion {
			return nil, fmt.Errorf("line %d has version %d; this program knows %d", n, line.Version, historyVersion)
		}
		out = append(out, line.record())
	}
	return out, nil
}

// appendHistory returns a history with one more pass, without the oldest if
// there are too many.
func appendHistory(data []byte, p PassRecord) ([]byte, error) {
	line := p.line()
	line.Version = historyVersion
	added, err := json.Marshal(line)
	if err != nil {
		return nil, err
	}
	data, lines := wholeLines(data)
	for ; lines >= maxHistory; lines-- {
		_, data, _ = bytes.Cut(data, []byte("\n"))
	}
	return append(append(bytes.Clone(data), added...), '\n'), nil
}

// wholeLines leaves out a last line that was cut short, and counts the others.
func wholeLines(data []byte) ([]byte, int) {
	data = data[:bytes.LastIndexByte(data, '\n')+1]
	return data, bytes.Count(data, []byte("\n"))
}

// passRecord describes a pass that has ended.
func passRecord(ctx context.Context, started time.Time, options syncOptions, r SyncResult, err error) PassRecord {
	p := PassRecord{
		Started: started.UTC(), Duration: r.Duration.Round(time.Millisecond),
		Synced: r.Synced, Adopted: r.Adopted, Deleted: r.Deleted, Failed: r.Failed, Skipped: r.Skipped, BytesTotal: r.BytesTotal,
		Outcome: PassDone, Forced: options.forceDeletes, Replay: options.replay,
	}
	if err == nil {
		return p
	}
	p.Error = err.Error()
	if len(p.Error) > maxHistoryError {
		p.Error = strings.ToValidUTF8(p.Error[:maxHistoryError], "") + "…"
	}
	switch {
	case ctx.Err() != nil:
		p.Outcome = PassInterrupted
	case errors.Is(err, ErrBrake), errors.Is(err, ErrEmptySource):
		p.Outcome = PassHeldBack
	case errors.Is(err, ErrObjectsFailed):
		p.Outcome = PassObjectsFailed
	default:
		p.Outcome = PassFailed
	}
	return p
}

// historyLine is a PassRecord in JSON: a line of the file with its version, and
// without it what MarshalJSON writes.
type historyLine struct {
	Version    int         `json:"version,omitempty"`
	Started    time.Time   `json:"started"`
	DurationMS int64       `json:"duration_ms"`
	Outcome    PassOutcome `json:"outcome"`
	Synced     int64       `json:"synced"`
	Adopted    int64       `json:"adopted"`
	Deleted    int64       `json:"deleted"`
	Failed     int64       `json:"failed"`
	Skipped    int64       `json:"skipped"`
	BytesTotal int64       `json:"bytes_total"`
	Forced     bool        `json:"forced"`
	Replay     bool        `json:"replay"`
	Error      string      `json:"error,omitempty"`
}

func (p PassRecord) line() historyLine {
	return historyLine{
		Started: p.Started, DurationMS: p.Duration.Milliseconds(), Outcome: p.Outcome,
		Synced: p.Synced, Adopted: p.Adopted, Deleted: p.Deleted, Failed: p.Failed, Skipped: p.Skipped,
		BytesTotal: p.BytesTotal, Forced: p.Forced, Replay: p.Replay, Error: p.Error,
	}
}

func (l historyLine) record() PassRecord {
	return PassRecord{
		Started: l.Started, Duration: time.Duration(l.DurationMS) * time.Millisecond, Outcome: l.Outcome,
		Synced: l.Synced, Adopted: l.Adopted, Deleted: l.Deleted, Failed: l.Failed, Skipped: l.Skipped,
		BytesTotal: l.BytesTotal, Forced: l.Forced, Replay: l.Replay, Error: l.Error,
	}
}

// MarshalJSON writes the form that `objstore replication history -o json` has.
func (p PassRecord) MarshalJSON() ([]byte, error) { return json.Marshal(p.line()) }
