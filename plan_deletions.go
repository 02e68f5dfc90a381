package replication

import "github.com/objrepl/replication/backend"

// What deletions cost that go out in batches, or by way of the trash.

// batched reports whether a deletion goes out among others.
func (p *planner) batched(item PlanItem) bool {
	may, _ := p.known.deletesMany()
	return may && p.destination.deletesMany() && (item.Reason == ReasonGone || item.Reason == ReasonGoneTrash)
}

// batchRequests estimates what so many deletions of one shard take: a request
// for each batch, before it a look at their tags where the store does not
// compare them, and after it a look at the source.
func (p *planner) batchRequests(deletions int64) (r PlanRequests) {
	_, compared := p.known.deletesMany()
	size := int64(min(p.destination.props.MaxBulkDelete, maxBatch))
	for left := deletions; left > 0; left -= size {
		n := min(left, size)
		if n < int64(p.batching.from) {
			r.add(p.deletionRequests(decision{destination: backend.Object{Tag: "any"}}, PlanItem{Reason: ReasonGone})) // alone it goes as ever
			continue
		}
		one := RequestsBySide{Destination: Requests{Delete: 1}}
		r.add(PlanRequests{one, one})
		least, most := p.lookRequests(p.source, n)
		r.Least.Source.add(least)
		r.Most.Source.add(most)
		if !compared {
			least, most = p.lookRequests(p.destination, n)
			r.Least.Destination.add(least)
			r.Most.Destination.add(most)
		}
	}
	return r
}

// lookRequests is what looking at n keys takes: one page of a listing where all
// are on it, and at most all pages that are tried and then a HEAD each.
func (p *pass) lookRequests(e *endpoint, n int64) (least, most Requests) {
	most.Head = n
	pages := min(int(n)/p.batching.heads, p.batching.pages)
	if pages == 0 || !e.props.StartAfter {
		return most, most
	}
	most.List = int64(pages)
	return Requests{List: 1}, most
}

// trashRequests is what moving an object to the trash takes beside its deletion.
func (p *pass) trashRequests(item PlanItem) (r PlanRequests) {
	if p.policy.TrashPrefix == "" {
		return r
	}
	r.Most.Destination.Put = 1
	if !p.destination.copies {
		r.Most.Destination.Get = 1
	}
	if item.Reason == ReasonGoneTrash {
		r.Least = r.Most
	}
	return r
}

// trashListing is the look for a free directory in the trash.
func (p *planner) trashListing() PlanRequests {
	if p.policy.TrashPrefix == "" {
		return PlanRequests{}
	}
	one := RequestsBySide{Destination: Requests{List: 1}}
	return PlanRequests{one, one}
}
