package replication

import (
	"strings"

	"github.com/objrepl/replication/backend"
)

// PlanRequests estimates the requests of a pass: Least if nothing that has to
// be looked at turns out to need a copy or a deletion, Most if all of it does.
// Retries are not in it, nor what a copy in parts that was cut short saves. What a
// server has to be asked first is, as one is that honours everything.
type PlanRequests struct {
	Least RequestsBySide `json:"least"`
	Most  RequestsBySide `json:"most"`
}

// RequestsBySide holds the requests to either side.
type RequestsBySide struct {
	Source      Requests `json:"source"`
	Destination Requests `json:"destination"`
}

// Requests counts requests by operation. Those that begin, fill and complete an
// upload in parts are PUTs, as stores price them, and so are copies that the store
// makes itself. Of a local directory it counts
// the corresponding calls: a LIST is a page of a thousand files.
type Requests struct {
	List   int64 `json:"list"`
	Head   int64 `json:"head"`
	Get    int64 `json:"get"`
	Put    int64 `json:"put"`
	Delete int64 `json:"delete"`
}

// Prices are those of one store, in US dollars per 1,000 requests.
type Prices struct{ List, Head, Get, Put, Delete float64 }

// S3StandardPrices returns the list prices of requests to S3 Standard in
// us-east-1, as https://aws.amazon.com/s3/pricing/ gave them in 2025: 0.005 for
// PUT, COPY, POST and LIST, 0.0004 for GET and all others, nothing for DELETE.
// Other regions, storage classes and contracts have other prices.
func S3StandardPrices() Prices {
	return Prices{List: 0.005, Head: 0.0004, Get: 0.0004, Put: 0.005}
}

// A Cost is an estimate in US dollars, of the requests alone: bytes that are
// stored or leave a region are not in it.
type Cost struct {
	Least float64 `json:"least"`
	Most  float64 `json:"most"`
}

// SourcePrices sets the prices of the source's store. Without it, a bucket of
// AWS has S3StandardPrices, and of every other store no price is known.
func SourcePrices(p Prices) PlanOption { return func(o *planOptions) { o.source = &p } }

// DestinationPrices sets those of the destination's; see SourcePrices.
func DestinationPrices(p Prices) PlanOption { return func(o *planOptions) { o.destination = &p } }

func (r *Requests) add(o Requests) {
	r.List += o.List
	r.Head += o.Head
	r.Get += o.Get
	r.Put += o.Put
	r.Delete += o.Delete
}

func (r *RequestsBySide) add(o RequestsBySide) {
	r.Source.add(o.Source)
	r.Destination.add(o.Destination)
}

func (r *PlanRequests) add(o PlanRequests) {
	r.Least.add(o.Least)
	r.Most.add(o.Most)
}

// dollars returns what requests cost.
func (p Prices) dollars(r Requests) float64 {
	return (float64(r.List)*p.List + float64(r.Head)*p.Head + float64(r.Get)*p.Get +
		float64(r.Put)*p.Put + float64(r.Delete)*p.Delete) / 1000
}

// estimate adds up the requests of the plan. The listings were made, so that
// their number is exact.
func (p *planner) estimate() {
	total := &p.plan.Requests
	for _, s := range p.shards {
		total.add(s.copying)
		if p.plan.HeldBack == nil {
			total.add(s.deleting)
		}
	}
	listed := RequestsBySide{
		Source:      Requests{List: p.sourceStore.lists.Load()},
		Destination: Requests{List: p.destinationStore.lists.Load()},
	}
	total.add(PlanRequests{listed, listed})
	total.add(p.probeRequests())
	p.plan.SourceCost = costOf(p.options.source, p.source, total.Least.Source, total.Most.Source)
	p.plan.DestinationCost = costOf(p.options.destination, p.destination, total.Least.Destination, total.Most.Destination)
}

func costOf(prices *Prices, e *endpoint, least, most Requests) *Cost {
	if prices == nil {
		if !strings.HasPrefix(e.props.Location, "s3://s3.amazonaws.com/") {
			return nil
		}
		s3 := S3StandardPrices()
		prices = &s3
	}
	return &Cost{Least: prices.dollars(least), Most: prices.dollars(most)}
}

var oneHead = RequestsBySide{Destination: Requests{Head: 1}}

// probeRequests estimates what asking the destination for its conditions takes,
// of what the pass needs to know.
func (p *planner) probeRequests() (r PlanRequests) {
	var large, maybe, inStore int64
	many := false // deletions of one shard
	for _, s := range p.shards {
		large, maybe, inStore = large+s.large, maybe+s.maybe, inStore+s.inStore
		many = many || s.deletes >= int64(p.batching.from)
	}
	many = many && p.destination.deletesMany() && p.plan.HeldBack == nil
	copies, _ := p.plan.Total(ActionCopy)
	looks, _ := p.plan.Total(ActionLook)
	gone, _ := p.plan.Total(ActionDelete)
	trashed, _ := p.plan.Total(ActionTrash)
	if p.plan.HeldBack != nil {
		gone, trashed = 0, 0
	}
	add := func(q *question, surely, perhaps bool) {
		if p.asks[q] && surely {
			r.Least.Destination.add(q.takes)
		}
		if p.asks[q] && (surely || perhaps) {
			r.Most.Destination.add(q.takes)
		}
	}
	add(askObjects, copies+gone+trashed > 0 || many, looks > 0)
	add(askParts, large > 0, maybe > 0)
	moves := trashed > 0 && p.destination.copies
	add(askCopies, moves || inStore > 0 || p.within.ranges != nil && large > 0, p.within.ranges != nil && maybe > 0)
	if p.destination.deletesMany() && p.known.delete.Match == answerHonoured {
		add(askBulk, many, p.plan.HeldBack == nil && p.count(ReasonUnclaimed) > 0)
	}
	return r
}

// count returns the objects of a reason.
func (p *planner) count(reason Reason) int64 {
	for _, c := range p.plan.Reasons {
		if c.Reason == reason {
			return c.Objects
		}
	}
	return 0
}

// goesInParts reports whether an object of this size is written in parts.
func (p *planner) goesInParts(size int64) bool {
	return p.inParts(size) && p.destination.props.Parts.Size(size, p.parts.size) > 0
}

// copiesInStore reports whether the store copies what a decision is about in one
// request.
func (p *planner) copiesInStore(dec decision) bool {
	return p.within.copier != nil && p.known.from == answerHonoured && p.withinReach(dec, p.known)
}

// oneCopy estimates what writing an object takes, on condition of what the
// destination has.
func (p *planner) oneCopy(dec decision) RequestsBySide {
	size, expect := dec.source.Size, expected(dec.destination)
	heads := func(g guard) int64 {
		if g.looks(expect) {
			return 1 // looked at just before
		}
		return 0
	}
	if p.copiesInStore(dec) {
		r := RequestsBySide{Destination: Requests{Put: 1}}
		if expect.Match != "" {
			r.Destination.Head = heads(p.known.copy)
		}
		return r
	}
	if !p.goesInParts(size) {
		return RequestsBySide{Source: Requests{Get: 1}, Destination: Requests{Put: 1, Head: heads(p.known.put)}}
	}
	n := int64(partCount(size, p.destination.props.Parts.Size(size, p.parts.size)))
	reads := n
	if p.within.ranges != nil && p.known.from == answerHonoured {
		n, reads = int64(partCount(size, p.destination.props.Parts.Size(size, rangeFactor*p.parts.size))), 0
	}
	return RequestsBySide{
		Source:      Requests{Head: 1, Get: reads},
		Destination: Requests{Put: 1 + n + 1, Head: heads(p.known.complete)},
	}
}

// copyRequests estimates what settling a key that is not to be deleted takes.
func (p *planner) copyRequests(dec decision, item PlanItem) (r PlanRequests) {
	oneCopy := p.oneCopy(dec)
	mostCopy := oneCopy
	if p.policy.ObjectTags {
		mostCopy.Source.Get++ // of an object that has some, or may have
	}
	switch {
	case item.Action == ActionCopy:
		return PlanRequests{oneCopy, mostCopy}
	case item.Reason == ReasonUnclaimed:
		r = PlanRequests{oneHead, oneHead}
		if p.policy.Deletes != KeepDeleted {
			r.Most.add(p.deletionRequests(dec, item).Most)
		}
	case item.Reason == ReasonStamp:
		r.Least.Source.Get = 1
		r.Most = r.Least
		r.Most.add(mostCopy)
	case item.Action == ActionLook:
		r = PlanRequests{oneHead, oneHead}
		if dec.destination.Size == dec.source.Size {
			// Both sides are read where neither a marker nor a checksum settles it.
			r.Most.Source.Get++
			r.Most.Destination.Get++
		}
		r.Most.add(mostCopy)
	}
	return r
}

// deletionRequests estimates what deleting an object takes, the second look at
// the source included.
func (p *planner) deletionRequests(dec decision, item PlanItem) (r PlanRequests) {
	r.Most = RequestsBySide{Source: Requests{Head: 1}, Destination: Requests{Delete: 1}}
	if p.known.delete.looks(backend.Condition{Match: dec.destination.Tag}) {
		r.Most.Destination.Head++
	}
	if item.Reason == ReasonGone {
		r.Least = r.Most
		return r
	}
	r.Least = oneHead
	r.Most.add(oneHead)
	r.Most.Source.Head++ // before the deletion, too
	return r
}
