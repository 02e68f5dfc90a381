package replication

import (
	"github.com/objrepl/replication/backend"
)

// What a policy may do to a destination. The rules are checked at the moment
// at which a write or a deletion becomes visible.

// policyOf returns the policy and the source that an actor works for.
func (s *simulation) policyOf(actor string) (id, side string) {
	if actor == otherID {
		return otherID, sideOther
	}
	return modelPolicy, sideSource
}

// mode returns what the policy says of somebody else's object under a key.
func (s *simulation) mode(actor, key string) ConflictMode {
	if s.known[actor][key] {
		return s.plan.setup.drift
	}
	return s.plan.setup.foreign
}

// excused reports whether a store without conditions, or a call that took
// effect after its time, makes a change in between be lost.
func (s *simulation) excused(actor string, before *destinationVersion, late bool) bool {
	return !s.plan.setup.conditions && (late || s.anyLate || before.at >= s.passBegan[actor])
}

// landed checks a write of a replicator.
func (s *simulation) landed(h *simStore, before *destinationVersion, stored backend.Object, data string, late bool) {
	id, side := s.policyOf(h.actor)
	now := &destinationVersion{key: stored.Key, tag: stored.Tag, author: id, data: data, meta: *stored.Metadata, at: s.clock}
	s.destination[now.key], s.byTag[now.tag] = now, now
	if h.actor != modelPolicy {
		s.moved, s.disturbed[now.key] = true, s.clock
	}
	history := s.sources[side][now.key]

	meta := travelling(&now.meta)
	if mk, ok := readMarker(&now.meta); ok && mk.place == markedPlace("sim:"+sideDestination, now.key) {
		if now.source = history.find(mk.source); now.source == nil {
			s.violated("%q was written with a marker of a version that never was: %v", now.key, mk)
			return
		}
		if now.source.data != data || !sameMetadata(travelling(&now.source.meta), meta) {
			s.violated("%q was written as %s, but its marker names %s", now.key, brief(data), brief(now.source.data))
		}
	} else if now.source = history.newest(data, meta); now.source == nil {
		s.violated("%q was written as %s, which no version of the source is", now.key, brief(data))
		return
	}
	if id == modelPolicy {
		s.written = append(s.written, now)
		s.checkOrder(h.actor, now, before, late)
	}
	s.checkReplaced(h.actor, id, history, before, late)
}

// checkOrder wants no older version in the place of a newer one. Once a key
// was absent there is nothing to compare with.
func (s *simulation) checkOrder(actor string, now, before *destinationVersion, late bool) {
	if before == nil {
		s.shown[now.key] = 0
	}
	if now.source.index < s.shown[now.key] && (s.plan.setup.conditions || !late && !s.anyLate && !s.twinUsed) {
		s.violated("%s put %s of %q in the place of %s, after a newer version was there already", actor, brief(now.data), now.key, before)
	}
	s.shown[now.key] = max(s.shown[now.key], now.source.index)
}

// checkReplaced wants somebody else's object left alone, unless the policy
// says otherwise, or it was equal to a version of the source and so adopted.
func (s *simulation) checkReplaced(actor, id string, history *sourceHistory, before *destinationVersion, late bool) {
	if before == nil || !before.foreignTo(id) || s.mode(actor, before.key) == Overwrite ||
		history.had(before.data) || s.excused(actor, before, late) {
		return
	}
	s.violated("%s overwrote %s under %q", actor, before, before.key)
}

// removed checks a deletion of a replicator.
func (s *simulation) removed(h *simStore, before *destinationVersion, late bool) {
	id, side := s.policyOf(h.actor)
	s.gone(before)
	if h.actor == modelPolicy {
		s.deleted = append(s.deleted, before.key)
	} else {
		s.moved, s.disturbed[before.key] = true, s.clock
	}
	history := s.sources[side][before.key]
	if s.excusedDeletion(h.actor, before, late) {
		return
	}
	s.checkTrashed(h.actor, before)
	switch {
	case s.plan.setup.deletes == KeepDeleted:
		s.violated("%s deleted %q, which the policy keeps", h.actor, before.key)
	case before.foreignTo(id) && !(s.known[h.actor][before.key] && s.plan.setup.drift == Overwrite) && !s.wrote(before):
		s.violated("%s deleted %s under %q", h.actor, before, before.key)
	case history.present && history.absentUntil < before.at:
		s.violated("%s deleted %s under %q, which the source never lacked since", h.actor, before, before.key)
	}
}

// wrote reports whether the policy wrote these very bytes under the key
// before, or was about to have them copied there: somebody else's equal object does
// not take them away from it.
func (s *simulation) wrote(d *destinationVersion) bool {
	if s.intended[d.key+"\x00"+d.data] {
		return true
	}
	for _, w := range s.written {
		if w.key == d.key && w.data == d.data {
			return true
		}
	}
	return false
}

// gone takes an object off the destination.
func (s *simulation) gone(d *destinationVersion) {
	delete(s.destination, d.key)
	s.shown[d.key] = 0
}
