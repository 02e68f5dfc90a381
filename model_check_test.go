package replication

import (
	"errors"
	"maps"
	"math"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/internal/ledger"
)

// What has to be true after a pass.

// checkLedger wants every entry to be a fact: the destination did show a
// version under this tag, and it held what this version of the source held.
func (s *simulation) checkLedger(state, id, actor string) {
	_, side := s.policyOf(actor)
	for _, e := range s.readLedger(state, id) {
		there := s.byTag[backend.Tag(e.DestinationTag)]
		version := s.sources[side][e.Key].find(fingerprint{tag: backend.Tag(e.SourceTag), size: e.SourceSize, stamp: e.SourceStamp})
		switch {
		case there == nil || there.key != e.Key:
			s.violated("%s: the ledger names %+v, which the destination never had", actor, e)
		case version == nil:
			s.violated("%s: the ledger names %+v, which the source never had", actor, e)
		case there.data != version.data:
			s.violated("%s: the ledger has %q as %s, and the destination's version under that tag is %s", actor, e.Key, brief(version.data), there)
		case !e.Adopted && there.foreignTo(id) && !s.wrote(there):
			s.violated("%s: the ledger says that the policy wrote %q, which is %s", actor, e.Key, there)
		}
	}
}

// afterPass checks what the pass under test left behind and what it says.
func (s *simulation) afterPass(res SyncResult, err error, options syncOptions) {
	s.checkLedger(modelPolicy, modelPolicy, modelPolicy)
	if s.twinUsed || s.anyLate {
		s.addOwn(modelPolicy, modelPolicy) // some may have come while the pass was listing
	}
	deleted, known := int64(len(s.deleted)), int64(len(s.own[modelPolicy]))
	brake, brakeErr := parseBrake(s.plan.setup.brake)
	s.must(brakeErr)
	switch {
	case options.forceDeletes:
	case brake.stops(deleted, known):
		s.violated("the pass deleted %d of %d objects past the brake %s", deleted, known, s.plan.setup.brake)
	case s.emptyAll && !s.moved && deleted > 0:
		s.violated("the pass deleted %d objects although the source was empty", deleted)
	case (errors.Is(err, ErrBrake) || errors.Is(err, ErrEmptySource)) && deleted > 0:
		s.violated("the pass deleted %d objects and said that it did not: %v", deleted, err)
	}
	if err == nil && res.Failed > 0 {
		s.violated("the pass says that all is well, and that %d objects failed", res.Failed)
	}
	told := s.audited
	for _, e := range res.Errors {
		s.checkConflict(e)
		told[e.Key] = true
	}
	for _, key := range s.deleted {
		if !told[key] && !s.stopped && !s.anyLate {
			s.violated("the pass deleted %q and put it nowhere on record", key)
		}
	}
	// A pass that says that all is well, and that nobody disturbed, tells the truth.
	if err == nil && !options.replay && !s.moved && s.violation == "" {
		s.checkEqual(nil, false)
	}
}

// checkConflict wants a conflict that is reported to be one.
func (s *simulation) checkConflict(e *ObjectError) {
	if !errors.Is(e, ErrForeignObject) && !errors.Is(e, ErrDrift) || s.unmarked() {
		return
	}
	there := s.destination[e.Key]
	if (there == nil || !there.foreignTo(modelPolicy)) && s.disturbed[e.Key] < s.passBegan[modelPolicy] {
		s.violated("the pass reports a conflict where nobody was: %v", e)
	}
}

// checkEqual wants the destination to have what the source has, but for the
// conflicts that were reported, and, until it is settled, what a pass found to
// be its own after all and the next one is to delete.
func (s *simulation) checkEqual(reported map[string]bool, settled bool) {
	for _, key := range modelKeys {
		source, there := s.sources[sideSource][key].current(), s.destination[key]
		switch {
		case source != nil && there == nil:
			s.violated("%q is missing at the destination", key)
		case source != nil && there.data == source.data && (there.foreignTo(modelPolicy) || sameMetadata(travelling(&there.meta), travelling(&source.meta)) || !s.plan.setup.markers):
		case source != nil && reported[key] && there.foreignTo(modelPolicy) && s.mode(modelPolicy, key) == Report:
		case source != nil && reported[key] && s.unmarked(): // whose it is rests on a ledger that was lost
		case source != nil:
			s.violated("%q is %s at the source and %s at the destination", key, brief(source.data), there)
		case there == nil || there.foreignTo(modelPolicy) || s.plan.setup.deletes == KeepDeleted || there.author == authorRestore:
		case s.orphan(key) || s.adopted(key) || !settled && s.claimed(key):
		default:
			s.violated("%q is gone at the source and still %s at the destination", key, there)
		}
	}
}

// orphan reports whether the policy cannot know that it wrote an object: the
// twin wrote it, or there is no marker to tell its own write, whose answer or
// whose ledger was lost, from somebody else's.
func (s *simulation) orphan(key string) bool {
	return s.unmarked() || !s.known[modelPolicy][key] && s.twinUsed
}

// claimed reports whether the pass before took an object into the ledger that
// the source does not have.
func (s *simulation) claimed(key string) bool {
	_, ok := s.entry(key)
	return ok && !s.known[modelPolicy][key] && s.sources[sideSource][key].current() == nil
}

// adopted reports whether the policy found the object equal, and no marker
// told it that it was its own.
func (s *simulation) adopted(key string) bool {
	e, _ := s.entry(key)
	return e.Adopted
}

func (s *simulation) entry(key string) (ledger.Entry, bool) {
	for _, e := range s.readLedger(modelPolicy, modelPolicy) {
		if e.Key == key {
			return e, true
		}
	}
	return ledger.Entry{}, false
}

// heal ends all faults. One pass then makes both sides equal, and the next
// finds nothing to do.
func (s *simulation) heal() {
	s.tracef("all faults end")
	s.healed = true
	s.landLate(math.MaxInt)
	s.call = 0
	reported := s.healedPass()
	if s.twinUsed && s.violation == "" {
		// Two replicators share the objects: each may delete what the other
		// does not know.
		s.aside(twinActor, modelPolicy, twinActor)
		reported = s.healedPass()
	}
	for _, key := range modelKeys {
		if s.claimed(key) && s.violation == "" {
			reported = s.healedPass()
		}
	}
	if s.violation != "" {
		return
	}
	s.checkEqual(reported, true)
	s.checkUploads()
	if s.violation == "" && len(reported) == 0 {
		s.checkQuiet()
	}
}

// healedPass runs a pass that may fail by nothing but conflicts, whose keys it
// returns.
func (s *simulation) healedPass() map[string]bool {
	res, err := s.runPass(ForceDeletes())
	reported := map[string]bool{}
	for _, e := range res.Errors {
		if !errors.Is(e.Err, ErrForeignObject) && !errors.Is(e.Err, ErrDrift) {
			s.violated("a pass without faults failed: %v", e)
		}
		reported[e.Key] = true
	}
	if err != nil && !errors.Is(err, ErrObjectsFailed) {
		s.violated("a pass without faults failed: %v", err)
	}
	return reported
}

// checkQuiet wants a pass that finds nothing to do to ask for listings alone.
func (s *simulation) checkQuiet() {
	before := maps.Clone(s.destination)
	s.costly = 0
	res, err := s.runPass()
	if err != nil || res.Synced+res.Adopted+res.Deleted+res.Failed != 0 || !maps.Equal(before, s.destination) {
		s.violated("a second pass had something to do: %v", err)
	}
	if s.costly > 0 {
		s.violated("a second pass cost %d calls beside listings", s.costly)
	}
}
