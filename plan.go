package replication

import (
	"context"
	"encoding/json"
	"io"
	"sync"
	"time"
)

// maxPlanItems bounds the items that a Plan holds; PlanItems and PlanItemsTo
// get all of them.
const maxPlanItems = 100

// A Plan is what a pass would do now, as far as the listings and the ledger
// tell. What has to be looked at first is counted as that: a pass finds out,
// by a HEAD or by reading, whether it is equal, to be copied or in conflict.
type Plan struct {
	PolicyID string
	// Listed counts the objects at the source, Unchanged those that need
	// nothing, and Known the objects that the ledger has.
	Listed    int64
	Unchanged int64
	Known     int64
	// Reasons has one element for each reason that was met, in a fixed order.
	Reasons []PlanCount
	// Items holds the first 100 items in key order.
	Items []PlanItem
	// HeldBack says why a pass would hold all deletions back unless forced:
	// ErrBrake or ErrEmptySource. Nil if it would not, unless objects that have
	// to be looked at turn out to be more to delete.
	HeldBack error
	// DestinationMissing: the destination does not exist yet. A pass makes
	// it, if its settings let it.
	DestinationMissing bool
	// Requests estimates the requests of the pass.
	Requests PlanRequests
	// SourceCost and DestinationCost estimate what these requests cost, nil
	// where no price is known; see SourcePrices.
	SourceCost      *Cost
	DestinationCost *Cost
	// Duration is how long it took to make the plan.
	Duration time.Duration
}

// A PlanCount sums up the objects of one reason.
type PlanCount struct {
	Action  Action `json:"action"`
	Reason  Reason `json:"reason"`
	Objects int64  `json:"objects"`
	Bytes   int64  `json:"bytes"`
}

// A PlanItem is one object that does not just stay as it is.
type PlanItem struct {
	// Key is the object's key at the source.
	Key    string `json:"key"`
	Action Action `json:"action"`
	Reason Reason `json:"reason"`
	// Bytes is the size of the source's object or, where that is gone, of the
	// destination's.
	Bytes int64 `json:"bytes"`
}

// Total sums up what the plan has for an action.
func (p Plan) Total(a Action) (objects, bytes int64) {
	for _, c := range p.Reasons {
		if c.Action == a {
			objects += c.Objects
			bytes += c.Bytes
		}
	}
	return objects, bytes
}

// A PlanOption changes how a plan is made.
type PlanOption func(*planOptions)

type planOptions struct {
	sync                syncOptions
	each                []func(PlanItem) error
	source, destination *Prices
}

// PlanFor plans the pass that these options would make.
func PlanFor(opts ...SyncOption) PlanOption {
	return func(o *planOptions) {
		for _, opt := range opts {
			opt(&o.sync)
		}
	}
}

// PlanItems calls f with every item, one at a time, in key order within each of
// the key ranges that are listed at the same time. An error of f ends the plan.
func PlanItems(f func(PlanItem) error) PlanOption {
	return func(o *planOptions) { o.each = append(o.each, f) }
}

// PlanItemsTo writes every item to w as one line of JSON; see PlanItems.
func PlanItemsTo(w io.Writer) PlanOption {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return PlanItems(func(i PlanItem) error { return enc.Encode(i) })
}

// Plan says what a pass of a policy would do, and changes nothing: neither side,
// nor the ledger, nor anything else on disk. It takes no lock, so a plan made
// while a pass runs describes a moment in the middle of it. It costs the LIST
// requests of a pass. A damaged ledger is taken as a pass would rebuild it.
func (r *Replicator) Plan(ctx context.Context, id string, opts ...PlanOption) (Plan, error) {
	p, err := r.Policy(id)
	if err != nil {
		return Plan{PolicyID: id}, err
	}
	return r.PlanOf(ctx, p, opts...)
}

// PlanOf is Plan for a policy that need not be stored.
func (r *Replicator) PlanOf(ctx context.Context, p Policy, opts ...PlanOption) (Plan, error) {
	var options planOptions
	for _, opt := range opts {
		opt(&options)
	}
	plan := Plan{PolicyID: p.ID}
	started := time.Now()
	err := r.read(ctx, p, TaskPlan, options.sync, func(ctx context.Context, c *reading) error {
		return (&planner{reading: c, options: options, plan: &plan}).run(ctx)
	})
	plan.Duration = time.Since(started)
	return plan, err
}

// A planner makes one plan.
type planner struct {
	*reading
	options planOptions
	plan    *Plan
	shards  []*shardPlan // appended to before the shard is visited
	known   conditions   // of the destination; a driver is believed until a pass asks
	asks    map[*question]bool

	mu sync.Mutex // held while an item is given away
}

// A shardPlan is what one shard adds to a plan. It is for one goroutine.
type shardPlan struct {
	counts   map[Reason]*PlanCount
	items    []PlanItem
	deletes  int64 // that the brake counts
	batched  int64 // of them, those that go out among others
	large    int64 // that are copied in parts
	maybe    int64 // that may be, when they were looked at
	inStore  int64 // that the store copies itself
	copying  PlanRequests
	deleting PlanRequests
}

func (p *planner) run(ctx context.Context) error {
	p.known, p.asks = p.guards.remembered()
	p.known = p.known.believed()
	seen, err := p.walk(ctx, func(int) visit {
		s := &shardPlan{counts: map[Reason]*PlanCount{}}
		p.shards = append(p.shards, s)
		return func(_ context.Context, d *detector, _ int) error { return p.shard(d, s) }
	})
	if err != nil {
		return err
	}
	plan := p.plan
	plan.Listed, plan.Known, plan.Unchanged = seen.listed, seen.known, p.result.unchanged.Load()
	plan.DestinationMissing = p.destinationStore.missing.Load()
	var deletes int64
	totals := map[Reason]*PlanCount{}
	for _, s := range p.shards {
		deletes += s.deletes
		s.deleting.add(p.batchRequests(s.batched))
		plan.Items = append(plan.Items, s.items[:min(len(s.items), maxPlanItems-len(plan.Items))]...)
		for reason, c := range s.counts {
			if t, ok := totals[reason]; ok {
				t.Objects += c.Objects
				t.Bytes += c.Bytes
			} else {
				totals[reason] = c
			}
		}
	}
	for _, reason := range reasons {
		if c, ok := totals[reason]; ok {
			plan.Reasons = append(plan.Reasons, *c)
		}
	}
	if deletes > 0 {
		plan.HeldBack = p.mayDelete(seen, deletes)
		p.shards[0].deleting.add(p.trashListing())
	}
	p.estimate()
	return nil
}

// shard explains what the detector finds.
func (p *planner) shard(d *detector, s *shardPlan) error {
	for {
		dec, ok, err := d.next()
		if err != nil || !ok {
			return err
		}
		item := p.explain(dec)
		if dec.verdict == verdictDelete && item.Action != ActionKeep {
			s.deletes++
			if p.batched(item) {
				s.batched++
			} else {
				s.deleting.add(p.deletionRequests(dec, item))
			}
			s.deleting.add(p.trashRequests(item))
		} else {
			s.copying.add(p.copyRequests(dec, item))
			switch large := dec.hasSource && p.goesInParts(dec.source.Size); {
			case item.Action == ActionCopy && p.copiesInStore(dec):
				s.inStore++
			case large && item.Action == ActionCopy:
				s.large++
			case large && item.Action == ActionLook:
				s.maybe++
			}
		}
		c := s.counts[item.Reason]
		if c == nil {
			c = &PlanCount{Action: item.Action, Reason: item.Reason}
			s.counts[item.Reason] = c
		}
		c.Objects++
		c.Bytes += item.Bytes
		if len(s.items) < maxPlanItems {
			s.items = append(s.items, item)
		}
		if err := p.give(item); err != nil {
			return err
		}
	}
}

// give hands an item to whoever wants all of them.
func (p *planner) give(item PlanItem) error {
	if len(p.options.each) == 0 {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, f := range p.options.each {
		if err := f(item); err != nil {
			return err
		}
	}
	return nil
}

// MarshalJSON writes the form that `objstore sync --dry-run -o json` documents.
func (p Plan) MarshalJSON() ([]byte, error) {
	type total struct {
		Objects int64 `json:"objects"`
		Bytes   int64 `json:"bytes"`
	}
	of := func(a Action) total {
		objects, bytes := p.Total(a)
		return total{objects, bytes}
	}
	held := ""
	if p.HeldBack != nil {
		held = p.HeldBack.Error()
	}
	type cost struct {
		Currency    string `json:"currency"`
		Source      *Cost  `json:"source"`
		Destination *Cost  `json:"destination"`
	}
	return json.Marshal(struct {
		PolicyID           string       `json:"policy_id"`
		DryRun             bool         `json:"dry_run"`
		Listed             int64        `json:"listed"`
		Unchanged          int64        `json:"unchanged"`
		Known              int64        `json:"known"`
		Copy               total        `json:"copy"`
		Look               total        `json:"look"`
		Delete             total        `json:"delete"`
		Trash              total        `json:"trash,omitzero"`
		Fail               total        `json:"fail"`
		Reasons            []PlanCount  `json:"reasons"`
		Items              []PlanItem   `json:"items"`
		HeldBack           string       `json:"held_back,omitempty"`
		DestinationMissing bool         `json:"destination_missing"`
		Requests           PlanRequests `json:"requests"`
		Cost               cost         `json:"cost_estimate"`
		DurationMS         int64        `json:"duration_ms"`
	}{
		p.PolicyID, true, p.Listed, p.Unchanged, p.Known,
		of(ActionCopy), of(ActionLook), of(ActionDelete), of(ActionTrash), of(ActionFail),
		append([]PlanCount{}, p.Reasons...), append([]PlanItem{}, p.Items...), held, p.DestinationMissing,
		p.Requests, cost{"USD", p.SourceCost, p.DestinationCost}, p.Duration.Milliseconds(),
	})
}
