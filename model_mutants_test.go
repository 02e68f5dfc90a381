package replication

import (
	"context"
	"errors"
	"io/fs"

	"github.com/objrepl/replication/backend"
)

// A mutant breaks one rule of the engine where its calls pass: what the engine
// then does is what an engine without the rule would do. The zero mutant
// breaks none.
type mutant struct {
	name string
	with func(*setup) // what leaves this rule alone to notice
	when []eventKind  // it shows, which happens more often then

	tagAfterSource bool // read the destination's tag after the source
	unconditional  bool // write without condition
	deleteAnything bool // delete without condition
	acknowledgeAll bool // take a failed write as done
	forbiddenGone  bool // take 403 as absent
	outageGone     bool // take an outage as absent
	truncate       bool // take a listing that failed as complete
	ignoreProblems bool // take what could not be listed as absent
	skipOnResume   bool // resume a listing one key too far
	anySize        bool // believe a marker whatever the size beside it
	anyPolicy      bool // believe another policy's marker
	tornBody       bool // open a body again without If-Match
	lateHeaders    bool // take the fingerprint from another answer than the bytes
	force          bool // delete past the brake and with an empty source
	blindBulk      bool // delete many without reading the tags again, where the store does not compare them
	trashLast      bool // delete before the copy in the trash is made
	noIntents      bool // do not write down what is about to be copied
	anyVersion     bool // copy whatever version is there
	copyBlindly    bool // copy onto whatever is there
	anyPlace       bool // believe a marker that was copied along
	anyOwner       bool // take what has no marker for ours
	policy         func(*Policy)
}

var mutants = []mutant{
	{name: "the destination's tag is read after the source", tagAfterSource: true, when: []eventKind{twinPass},
		with: func(s *setup) { s.conditions, s.parts, s.foreign, s.drift = true, false, Overwrite, Overwrite }},
	{name: "writes have no condition", unconditional: true},
	{
		name: "deletions have no condition", deleteAnything: true, when: []eventKind{sourceRemove, foreignPut},
		with: func(s *setup) { s.conditions, s.deletes, s.brake = true, PropagateDeletes, "off" },
	},
	{name: "the ledger does not wait for the acknowledgement", acknowledgeAll: true},
	{name: "the brake is off", policy: func(p *Policy) { p.MaxDelete = "off" }},
	{name: "an empty source is emptied", force: true, with: func(s *setup) { s.brake = "off" }},
	{name: "403 is absent", forbiddenGone: true},
	{name: "an outage is absent", outageGone: true},
	{name: "a truncated listing is complete", truncate: true},
	{name: "what cannot be listed is absent", ignoreProblems: true},
	{name: "a listing resumes one key too far", skipOnResume: true},
	{name: "the marker is believed beside another size", anySize: true},
	{name: "another policy's marker is believed", anyPolicy: true},
	{name: "a body is opened again without If-Match", tornBody: true},
	{name: "the fingerprint is not of the bytes that were read", lateHeaders: true},
	{name: "drift is overwritten", policy: func(p *Policy) { p.Drift = Overwrite }},
	{name: "foreign objects are overwritten", policy: func(p *Policy) { p.Foreign = Overwrite }},
	{name: "many are deleted without reading the tags again", blindBulk: true, with: func(s *setup) {
		s.bulk, s.conditions, s.deletes, s.brake, s.drift = true, false, PropagateDeletes, "off", Report
	}},
	{name: "the trash gets its copy after the deletion", trashLast: true, with: func(s *setup) { s.trash, s.copies, s.deletes = true, true, PropagateDeletes }},
	{name: "copies within the store are not written down", noIntents: true, when: []eventKind{killAfter, sourceRemove}, with: withinOnly},
	{name: "a copy within the store is of any version", anyVersion: true, with: withinOnly},
	{name: "a copy within the store goes onto whatever is there", copyBlindly: true, when: []eventKind{foreignPut}, with: withinOnly},
	{name: "a marker that was copied along is believed", anyPlace: true, when: []eventKind{foreignEqual, sourceRemove}, with: func(s *setup) {
		withinOnly(s)
		s.chained = true
	}},
	{name: "what nobody wrote down is claimed", anyOwner: true, when: []eventKind{foreignPut}, with: withinOnly},
	{name: "kept deletions are propagated", policy: func(p *Policy) { p.Deletes = PropagateDeletes }},
}

// withinOnly makes a world whose service copies by itself, and has conditions.
func withinOnly(s *setup) {
	s.inStore, s.conditions, s.markers, s.parts, s.deletes, s.brake, s.foreign, s.drift = true, true, true, false, PropagateDeletes, "off", Report, Report
}

func (m *mutant) on(h *simStore, side string) bool { return h.actor == modelPolicy && h.side == side }

// failed changes how a call failed.
func (m *mutant) failed(h *simStore, err error) error {
	if m.on(h, sideSource) && (m.forbiddenGone && errors.Is(err, fs.ErrPermission) || m.outageGone && errors.Is(err, backend.ErrUnavailable)) {
		return fs.ErrNotExist
	}
	return err
}

// stated changes what the destination says of an object.
func (m *mutant) stated(h *simStore, o *backend.Object) {
	mk, ok := readMarker(o.Metadata)
	if m.anyOwner && !ok && m.on(h, sideDestination) {
		mk, ok = marker{policy: modelPolicy, operation: "any", source: fingerprint{size: o.Size}}, true
		if o.Metadata.User == nil {
			o.Metadata.User = map[string]string{}
		}
	}
	if !ok || !m.on(h, sideDestination) || !m.anySize && !m.anyPolicy && !m.anyPlace && !m.anyOwner {
		return
	}
	if m.anyPlace || m.anyOwner {
		mk.place = markedPlace("sim:"+sideDestination, o.Key)
	}
	if m.anySize {
		mk.source.size = o.Size
	}
	if m.anyPolicy {
		mk.policy = modelPolicy
	}
	o.Metadata.User[markerKey] = mk.String()
}

// opening changes how the source is read.
func (m *mutant) opening(h *simStore, opts *backend.OpenOptions) {
	if m.tornBody && m.on(h, sideSource) {
		opts.IfMatch = ""
	}
}

// opened comes after the source was read.
func (m *mutant) opened(ctx context.Context, h *simStore, o *backend.Object) error {
	if !m.on(h, sideSource) {
		return nil
	}
	if m.lateHeaders {
		later, err := h.Stat(ctx, o.Key)
		if err == nil && later.Size == o.Size {
			*o = later
		}
	}
	if m.tagAfterSource {
		to := &simStore{Store: h.sim.stores[sideDestination], sim: h.sim, side: sideDestination, actor: h.actor}
		there, err := to.Stat(ctx, o.Key)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		h.sim.tagsRead[o.Key] = there.Tag
	}
	return nil
}

// putting changes the condition of a write.
func (m *mutant) putting(h *simStore, key string, opts *backend.PutOptions) {
	switch {
	case !m.on(h, sideDestination) || !h.sim.plan.setup.conditions:
	case m.unconditional:
		opts.If = backend.Condition{}
	case m.tagAfterSource:
		if tag := h.sim.tagsRead[key]; tag != "" {
			opts.If = backend.Condition{Match: tag}
		} else {
			opts.If = backend.Condition{Absent: true}
		}
	}
}

// completing changes the condition of a write in parts.
func (m *mutant) completing(h *simStore, c *backend.Condition) {
	opts := backend.PutOptions{If: *c}
	m.putting(h, "", &opts)
	if m.unconditional {
		*c = opts.If
	}
}

// deleting changes the condition of a deletion.
func (m *mutant) deleting(h *simStore, opts *backend.DeleteOptions) {
	if m.deleteAnything && m.on(h, sideDestination) {
		opts.IfMatch = ""
	}
}

// listing changes where a listing begins.
func (m *mutant) listing(h *simStore, opts *backend.ListOptions) {
	if m.skipOnResume && m.on(h, sideSource) && opts.After != "" {
		opts.After += "~"
		for _, key := range modelKeys {
			if key > opts.After {
				opts.After = key
				break
			}
		}
	}
}
