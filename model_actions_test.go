package replication

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/objrepl/replication/backend"
)

// happen does what an event does to the world. Faults of single calls are
// the scheduler's.
func (s *simulation) happen(e event) {
	s.clock++
	key := e.key
	there := s.destination[key]
	source := s.sources[sideSource][key]
	switch e.kind {
	case sourcePut:
		s.putSource(sideSource, key, padding(e.n), false)
	case sourceSameSize:
		s.putSource(sideSource, key, s.samePadding(key), false)
	case sourceStealth:
		s.putSource(sideSource, key, s.samePadding(key), s.plan.setup.stamps)
	case sourceRecreate:
		s.recreate(key)
	case sourceTouch:
		s.touch(key)
	case sourceRemove:
		s.removeSource(sideSource, key)
	case sourceWipe:
		for _, key := range modelKeys {
			s.removeSource(sideSource, key)
		}
	case sourceHide:
		s.hidden = s.hidden || e.call == 0
	case sourceForbid:
		s.forbidden[sideSource] = key
	case destinationForbid:
		s.forbidden[sideDestination] = key
	case foreignPut:
		s.putDestination(key, fmt.Sprintf("%s!%06d%s", key, s.clock, padding(e.n)), backend.Metadata{}, authorForeign)
	case foreignEqual:
		if v := source.current(); v != nil {
			meta := backend.Metadata{}
			if s.plan.setup.chained {
				meta = v.meta // by a copy of his own
			}
			s.putDestination(key, v.data, meta, authorForeign)
		}
	case foreignTamper:
		if there != nil {
			s.putDestination(key, tampered(there.data), backend.Metadata{}, authorForeign)
		}
	case foreignBeside:
		if there != nil {
			s.putDestination(key, there.data+"!", there.meta, authorForeign)
		}
	case foreignRestore:
		s.restore(key, e.n)
	case foreignRemove:
		if there != nil {
			s.must(s.stores[sideDestination].Delete(context.Background(), key, backend.DeleteOptions{}))
			s.gone(there)
			s.moved, s.disturbed[key] = true, s.clock
		}
	case clockJump:
		time.Sleep(time.Duration(e.n) * 6 * 24 * time.Hour)
	case otherPolicy:
		s.otherPass(key, e.n)
	case twinPass:
		s.twinUsed = true
		if e.n%2 == 1 {
			s.putSource(sideSource, key, padding(e.n), false)
		}
		s.aside(twinActor, modelPolicy, twinActor)
	case secondProcess:
		s.second()
	case ledgerLost:
		if !s.gated {
			s.ledgerGone = true
			s.restoreLedger(modelPolicy, modelPolicy, nil)
		}
	}
}

func (s *simulation) must(err error) {
	if err != nil {
		panic(err)
	}
}

func padding(n int) string {
	if n == largeBody {
		return strings.Repeat("+", maxBuffered)
	}
	return strings.Repeat("+", n%3)
}

func (s *simulation) samePadding(key string) string {
	h := s.sources[sideSource][key]
	if len(h.versions) == 0 {
		return ""
	}
	return strings.Repeat("+", strings.Count(h.versions[len(h.versions)-1].data, "+"))
}

func tampered(data string) string { return "X" + data[1:] }

// putSource writes a new version, under the tag of the one before if it keeps
// it and has the same size.
func (s *simulation) putSource(side, key, pad string, keepTag bool) {
	id := fmt.Sprintf("%06d", s.clock)
	s.putVersion(side, key, fmt.Sprintf("%s#%s%s#%s", key, id, pad, id), backend.Metadata{
		ContentType: "text/" + id, User: map[string]string{"v": id},
	}, keepTag)
}

func (s *simulation) putVersion(side, key, data string, meta backend.Metadata, keepTag bool) {
	if s.plan.setup.chained && side == sideSource {
		meta = meta.Clone()
		meta.User[markerKey] = s.chainMarker(key, data)
	}
	o, err := s.stores[side].Put(context.Background(), key, backend.Bytes([]byte(data)), backend.PutOptions{Metadata: meta})
	s.must(err)
	h := s.sources[side][key]
	v := &sourceVersion{index: s.clock, data: data, meta: meta, tag: "s" + o.Tag}
	if s.plan.setup.stamps {
		v.stamp = fmt.Sprint("t", s.clock)
	}
	if now := h.current(); keepTag && now != nil && len(now.data) == len(data) {
		v.tag = now.tag
	}
	if !h.present {
		h.present, h.absentUntil = true, s.clock
	}
	h.versions = append(h.versions, v)
	s.moved = true
}

func (s *simulation) recreate(key string) {
	if h := s.sources[sideSource][key]; len(h.versions) > 0 {
		v := h.versions[len(h.versions)-1]
		s.putVersion(sideSource, key, v.data, v.meta, false)
	}
}

// touch moves the stamp of a file and nothing else.
func (s *simulation) touch(key string) {
	h := s.sources[sideSource][key]
	if now := h.current(); now != nil && s.plan.setup.stamps {
		next := *now
		next.index, next.stamp = s.clock, fmt.Sprint("t", s.clock)
		h.versions = append(h.versions, &next)
		s.moved = true
	}
}

func (s *simulation) removeSource(side, key string) {
	s.must(s.stores[side].Delete(context.Background(), key, backend.DeleteOptions{}))
	s.sources[side][key].present = false
	s.moved = true
}

func (s *simulation) putDestination(key, data string, meta backend.Metadata, author string) *destinationVersion {
	if !s.plan.setup.markers {
		meta = backend.Metadata{}
	}
	o, err := s.stores[sideDestination].Put(context.Background(), key, backend.Bytes([]byte(data)), backend.PutOptions{Metadata: meta})
	s.must(err)
	d := &destinationVersion{key: key, tag: o.Tag, author: author, data: data, meta: meta, at: s.clock}
	s.destination[key], s.byTag[o.Tag] = d, d
	s.moved, s.disturbed[key] = true, s.clock
	return d
}

// restore puts back an object that the policy wrote before, as from a backup.
func (s *simulation) restore(key string, n int) {
	var ours []*destinationVersion
	for _, d := range s.written {
		if d.key == key {
			ours = append(ours, d)
		}
	}
	if len(ours) == 0 || !s.plan.setup.markers {
		return
	}
	old := ours[n%len(ours)]
	author := authorRestore
	if mk, ok := readMarker(&old.meta); !ok || mk.place != markedPlace("sim:"+sideDestination, key) {
		author = authorForeign // nothing tells that it was ours
	}
	s.putDestination(key, old.data, old.meta, author).source = old.source
}

// otherPass lets another policy replicate its own source to the same
// destination.
func (s *simulation) otherPass(key string, n int) {
	if n%3 == 2 {
		s.removeSource(sideOther, key)
	} else {
		s.putSource(sideOther, key, padding(n), false)
	}
	s.aside(otherID, otherID, otherID)
}

// aside runs a whole pass of another replicator between two calls of the one
// under test.
func (s *simulation) aside(state, id, actor string) {
	s.begin(state, id, actor)
	r := s.open(state)
	done := make(chan struct{})
	var res SyncResult
	var err error
	go func() {
		defer close(done)
		res, err = r.Sync(context.Background(), s.policy(id, actor))
	}()
	s.schedule(actor, done)
	s.must(r.Close())
	s.tracef("%s ended: synced %d adopted %d deleted %d failed %d: %v", actor, res.Synced, res.Adopted, res.Deleted, res.Failed, err)
	s.checkLedger(state, id, actor)
	s.moved = true
}

// second tries to run the same policy on the same state directory.
func (s *simulation) second() {
	if !s.gated || s.stopped {
		return
	}
	r := s.open(modelPolicy)
	_, err := r.Sync(context.Background(), s.policy(modelPolicy, "second"))
	s.must(r.Close())
	if !errors.Is(err, ErrLocked) {
		s.violated("a second process was not locked out: %v", err)
	}
}

// begin notes what a replicator knows when its pass begins.
func (s *simulation) begin(state, id, actor string) {
	known := map[string]bool{}
	for _, e := range s.readLedger(state, id) {
		known[e.Key] = true
	}
	s.known[actor], s.own[actor], s.passBegan[actor] = known, maps.Clone(known), s.clock
	s.addOwn(id, actor)
}

// addOwn adds the objects of a policy that its ledger may lack.
func (s *simulation) addOwn(id, actor string) {
	for key, there := range s.destination {
		if there != nil && (!there.foreignTo(id) || s.wrote(there)) {
			s.own[actor][key] = true
		}
	}
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
