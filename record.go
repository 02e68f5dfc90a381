package replication

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/objrepl/replication/backend"
)

// finishOne counts, reports and audits what became of one key, as soon as it
// is known. It runs in the workers.
func (p *pass) finishOne(ctx context.Context, d decision, out outcome) outcome {
	if out.deleted {
		p.result.deleted.Add(1)
		p.progress.deleted.Add(1)
		p.record(ctx, AuditRecord{
			Action: AuditObjectDeleted, Key: p.destination.key(d.key),
			DestinationTag: string(d.destination.Tag), TrashKey: out.trashed,
		})
	}
	if out.kind == outcomeFailed && ctx.Err() != nil {
		return outcome{entry: out.entry, forget: out.forget} // interrupted, which is no failure of the object
	}
	event := Event{Key: p.source.key(d.key), Size: out.size}
	switch out.kind {
	case outcomeSynced:
		event.Type = EventSynced
		p.result.synced.Add(1)
		p.result.bytes.Add(out.size)
		p.result.inStore.Add(out.inStore)
		p.progress.doneBytes.Add(out.inStore)
		p.record(ctx, AuditRecord{
			Action: AuditObjectWritten, Key: p.destination.key(d.key), Size: out.size,
			SourceTag: out.entry.SourceTag, DestinationTag: out.entry.DestinationTag,
		})
	case outcomeAdopted:
		event.Type = EventAdopted
		p.result.adopted.Add(1)
	case outcomeUnchanged:
		p.result.unchanged.Add(1)
		p.progress.unchanged.Add(1)
	case outcomeDeleted:
		event.Type = EventDeleted
	case outcomeSpecial:
		p.result.special.Add(1)
	case outcomeFailed:
		event.Type, event.Err = EventFailed, out.err
		p.progress.failed.Add(1)
		failure := &ObjectError{PolicyID: p.policy.ID, Key: event.Key, Err: out.err}
		if err := p.failures.add(failure); err != nil {
			p.stop(err)
		}
		p.dead.fail(event.Key, out.err, time.Now().UTC())
	}
	if out.entry != nil || out.forget {
		p.dead.settled(event.Key)
	}
	if d.verdict == verdictCopy || d.verdict == verdictUnknown {
		p.progress.done.Add(1)
	}
	if errors.Is(out.err, backend.ErrNoSpace) {
		p.full.Add(1)
	} else if out.err == nil {
		p.full.Store(0)
	}
	if int(p.full.Load()) >= 2*p.workers {
		p.stop(fmt.Errorf("the pass was stopped, since nothing but this comes back: %w", out.err))
	}
	if err := p.unwritable(d, out); err != nil {
		p.stop(err)
	}
	if event.Type != "" {
		p.emit(event)
	}
	return out
}

// record keeps the audit trail. A pass that cannot keep it stops.
func (p *pass) record(ctx context.Context, r AuditRecord) {
	if p.audit == nil {
		return
	}
	r.Time, r.PolicyID = time.Now(), p.policy.ID
	if err := p.audit.Record(context.WithoutCancel(ctx), r); err != nil {
		p.stop(fmt.Errorf("audit log: %w", err))
	}
}

func (p *pass) emit(e Event) {
	if p.observe == nil {
		return
	}
	e.Task, e.PolicyID, e.Progress = p.task, p.policy.ID, p.progress.snapshot()
	p.observe(e)
}

// progressStep is how many bytes move between two events of progress.
const progressStep = 1 << 20

// moved counts bytes as they are read.
func (p *pass) moved(n int) {
	after := p.progress.doneBytes.Add(int64(n))
	if after/progressStep != (after-int64(n))/progressStep {
		p.emit(Event{Type: EventProgress})
	}
}

// counters hold a Progress while the workers move it.
type counters struct {
	listed, planned, plannedBytes, done, doneBytes atomic.Int64
	detected, unchanged, deleted, failed           atomic.Int64
	listingDone                                    atomic.Bool
}

func (c *counters) plan(size int64) {
	c.planned.Add(1)
	c.plannedBytes.Add(size)
}

func (c *counters) snapshot() Progress {
	return Progress{
		Listed: c.listed.Load(), ListingDone: c.listingDone.Load(),
		Planned: c.planned.Load(), PlannedBytes: c.plannedBytes.Load(),
		Done: c.done.Load(), DoneBytes: c.doneBytes.Load(),
		Unchanged: c.detected.Load() + c.unchanged.Load(),
		Deleted:   c.deleted.Load(), Failed: c.failed.Load(),
	}
}
