package replication

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"

	"github.com/objrepl/replication/backend"
)

// Copies that the store makes itself, in the model.

// CopierFrom copies from a source where the plan has both sides in one service.
func (h *simStore) CopierFrom(source backend.Backend) backend.Copier {
	from, ok := source.(*simStore)
	if !ok || !h.sim.plan.setup.inStore || h.side != sideDestination {
		return nil
	}
	return simCopier{from, h}
}

type simCopier struct{ from, to *simStore }

// version returns what is to be copied, in this version or not at all.
func (c simCopier) version(key string, match backend.Tag, stamp string) (*sourceVersion, error) {
	now := c.to.sim.sources[c.from.side][key].current()
	switch {
	case now == nil:
		return nil, fmt.Errorf("copy %q: %w", key, fs.ErrNotExist)
	case match != "" && now.tag != match, stamp != "" && now.stamp != stamp:
		return nil, fmt.Errorf("copy %q: %w", key, backend.ErrPrecondition)
	}
	return now, nil
}

func (c simCopier) Copy(ctx context.Context, from, to string, opts backend.CopyOptions) (o backend.Object, err error) {
	h := c.to
	asked := opts
	h.sim.mutant.copying(h, &opts)
	err = h.do(ctx, "copy in", to, func(v verdictOf) error {
		apply := func(late bool) error {
			now, err := c.version(from, opts.FromMatch, opts.FromStamp)
			if err != nil {
				return err
			}
			before := h.sim.destination[to]
			stored, err := h.Store.Put(context.Background(), to, backend.Bytes([]byte(now.data)), backend.PutOptions{Metadata: now.meta, If: opts.If})
			if err != nil {
				return err
			}
			h.describe(&stored)
			o = stored
			h.sim.landed(h, before, stored, now.data, late)
			return nil
		}
		if v.late > 0 {
			h.sim.postpone(v.late, fmt.Sprintf("late: %s copy in %q", h.actor, to), func() error { return apply(true) })
			return backend.ErrUnavailable
		}
		return apply(false)
	})
	if ctx.Err() == nil { // and so in turn; a pass that ends leaves what noteIntents reads
		c.intended(from, to, asked)
	}
	if err != nil {
		return backend.Object{}, err
	}
	return o, nil
}

// intended notes the version that the pass under test asked for.
func (c simCopier) intended(from, to string, asked backend.CopyOptions) {
	for _, v := range c.to.sim.sources[c.from.side][from].versions {
		if c.to.actor == modelPolicy && v.tag == asked.FromMatch && v.stamp == asked.FromStamp {
			c.to.sim.intended[to+"\x00"+v.data] = true
		}
	}
}

func (c simCopier) CopyPart(ctx context.Context, from string, r backend.CopyRange, into backend.PartUpload, number int) (part backend.Part, err error) {
	u := into.(*simUpload)
	err = c.to.do(ctx, fmt.Sprintf("copy part %d of", number), u.key, func(verdictOf) error {
		now, err := c.version(from, r.Match, r.Stamp)
		if err != nil {
			return backend.ErrPrecondition
		}
		part, err = u.PartUpload.Put(context.Background(), number, backend.Bytes([]byte(now.data[r.Offset:][:r.Length])))
		return err
	})
	return part, err
}

// copying changes the conditions of a copy.
func (m *mutant) copying(h *simStore, opts *backend.CopyOptions) {
	if !m.on(h, sideDestination) {
		return
	}
	if m.anyVersion {
		opts.FromMatch, opts.FromStamp = "", ""
	}
	if m.copyBlindly {
		opts.If = backend.Condition{}
	}
}

// chainMarker is on what another policy of the same name wrote to the source.
func (s *simulation) chainMarker(key, data string) string {
	return marker{
		policy: modelPolicy, source: fingerprint{size: int64(len(data)), tag: "1"}, operation: "chain",
		place: markedPlace("sim:"+sideSource, key),
	}.String()
}

// intentPath is where the pass under test notes what is about to be copied.
func (s *simulation) intentPath() string {
	return filepath.Join(s.dir, modelPolicy, policyDir(modelPolicy), intentsDir)
}

// noteIntents learns what a pass will take for its own where it finds it: the
// bytes that were about to be copied, under the key that they were to go to,
// whoever put them there.
func (s *simulation) noteIntents() {
	for _, raw := range readFiles(s.intentPath()) {
		var f intentsFile
		s.must(json.Unmarshal(raw, &f))
		for _, in := range f.Copies {
			if v := s.sources[sideSource][in.Key].find(in.fingerprint()); v != nil {
				s.intended[in.Key+"\x00"+v.data] = true
			}
		}
	}
}

// atKill keeps what is on disk when a process is killed.
func (s *simulation) atKill() {
	s.journals = s.journalFiles()
	if s.plan.setup.inStore {
		s.killedLedger, s.killedIntents = s.ledgerFiles(modelPolicy, modelPolicy), readFiles(s.intentPath())
	}
}

// afterKill puts it back. Where markers tell what is whose, the ledger is that of
// the pass before, which is harder still.
func (s *simulation) afterKill(before map[string][]byte) {
	if s.plan.setup.inStore {
		before = s.killedLedger
		if s.mutant.noIntents {
			s.killedIntents = nil
		}
		writeFiles(s.intentPath(), s.killedIntents)
	}
	s.restoreLedger(modelPolicy, modelPolicy, before)
	s.restoreJournals(s.journals)
}

// unmarked reports whether nothing but the ledger tells the policy's objects from
// others, and it was lost, or another replicator has one of its own.
func (s *simulation) unmarked() bool {
	return !s.plan.setup.markers || s.plan.setup.inStore && (s.twinUsed || s.ledgerGone)
}

// alone leaves out of a plan what makes ownership rest on a ledger that is not
// there.
func alone(events []event) []event {
	return slices.DeleteFunc(events, func(e event) bool { return e.kind == twinPass || e.kind == ledgerLost })
}
