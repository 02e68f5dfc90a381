package replication

import (
	"context"
	"errors"
	"io"
	"strings"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/internal/ledger"
)

// A verdict is what the three streams say is to be done about a key.
type verdict int

const (
	// verdictCopy: the source's version is to be written; the destination has
	// none, or the one that the ledger knows.
	verdictCopy verdict = iota
	// verdictRehash: the same fingerprint with another stamp; the content has
	// to be looked at to tell.
	verdictRehash
	// verdictUnknown: the destination has an object that the ledger does not
	// know, or not with this tag.
	verdictUnknown
	// verdictDelete: gone at the source, still there at the destination.
	verdictDelete
	// verdictForget: gone at both; only the ledger still has it.
	verdictForget
	// verdictClaim: neither the source nor the ledger has it, and the ledger
	// may lack what is ours.
	verdictClaim
	// verdictProblem: the source has something that is no object.
	verdictProblem
)

// A decision is one key that needs something. Keys are relative.
type decision struct {
	verdict        verdict
	key            string
	hasSource      bool
	source         backend.Object // zero if absent
	hasDestination bool           // not so for what hides a range of keys
	destination    backend.Object // zero if absent
	known          bool           // entry is set
	entry          ledger.Entry
	inStore        bool // the store copies it itself, which is written down
}

// A detector merges source, ledger and destination, three streams in key
// order, and picks out what needs something. Its memory does not depend on the
// number of keys. docs/DESIGN.md has the table that it decides by.
type detector struct {
	source      stream[*backend.Object]
	ledger      stream[ledger.Entry]
	destination stream[*backend.Object]

	// Key ranges that a listing could not look into, as the prefix that they
	// share. Streams are in order, so one of each is enough.
	sourceGap      string
	destinationGap string

	counts detected
	last   string // the last key that was merged and counted

	keys  int64
	doubt bool // whether the ledger may lack objects of ours
	// unseen: something at the destination could not be looked for at either side,
	// and may be one of those.
	unseen bool

	tick func() // called now and then, for progress while nothing changes
}

// detected is what a detector counts as it goes, of the keys that the filter
// lets through.
type detected struct {
	listed    int64 // source objects
	unchanged int64
	known     int64 // ledger entries, and what the pass found that the ledger lacked
}

// A stream is one of the inputs with its next element held ready.
type stream[T any] struct {
	read   func() (T, string, error) // io.EOF after the last
	accept func(head T, key string) bool
	head   T
	key    string
	ended  bool
}

// advance moves to the next element that the filter accepts.
func (s *stream[T]) advance() error {
	for {
		head, key, err := s.read()
		if errors.Is(err, io.EOF) {
			s.ended = true
			return nil
		}
		if err != nil {
			return err
		}
		if s.accept(head, key) {
			s.head, s.key = head, key
			return nil
		}
	}
}

// An objectReader yields what one side has, by key without the prefix, in
// order; io.EOF after the last.
type objectReader interface {
	read(context.Context) (*backend.Object, string, error)
}

// newDetector merges two listings and a ledger, restricted to the keys that
// accept lets through. ctx is that of reading the ledger.
func newDetector(ctx context.Context, source, destination objectReader, cursor *ledger.Cursor, accept func(string) bool) *detector {
	acceptObject := func(o *backend.Object, key string) bool {
		// No filter knows what is in a directory that could not be read.
		return accept(key) || isGap(o, key)
	}
	objects := func(r objectReader) stream[*backend.Object] {
		return stream[*backend.Object]{
			read:   func() (*backend.Object, string, error) { return r.read(ctx) },
			accept: acceptObject,
		}
	}
	return &detector{
		source:      objects(source),
		destination: objects(destination),
		ledger: stream[ledger.Entry]{
			read: func() (ledger.Entry, string, error) {
				e, err := cursor.Next(ctx)
				return e, e.Key, err
			},
			accept: func(_ ledger.Entry, key string) bool { return accept(key) },
		},
	}
}

// start reads the first element of each stream.
func (d *detector) start() error {
	if err := d.source.advance(); err != nil {
		return err
	}
	if err := d.destination.advance(); err != nil {
		return err
	}
	return d.ledger.advance()
}

// next returns the next key that needs something, or false after the last one.
// Both listings were then complete. An error says that one was not.
func (d *detector) next() (decision, bool, error) {
	for {
		dec, acts, ok, err := d.step()
		if acts || !ok || err != nil {
			return dec, ok, err
		}
	}
}

// step returns the next key and whether it needs something, or !ok after the
// last one. Of a key that needs nothing the verdict means nothing.
func (d *detector) step() (dec decision, acts, ok bool, err error) {
	key, ok := d.least()
	if !ok {
		return decision{}, false, false, nil
	}
	if d.keys++; d.keys%4096 == 0 {
		d.tick()
	}
	dec.key = key
	if !d.source.ended && d.source.key == key {
		dec.source, dec.hasSource = *d.source.head, true
		if err := d.source.advance(); err != nil {
			return decision{}, false, false, err
		}
	}
	if !d.destination.ended && d.destination.key == key {
		dec.destination, dec.hasDestination = *d.destination.head, true
		if err := d.destination.advance(); err != nil {
			return decision{}, false, false, err
		}
	}
	if !d.ledger.ended && d.ledger.key == key {
		dec.entry, dec.known = d.ledger.head, true
		if err := d.ledger.advance(); err != nil {
			return decision{}, false, false, err
		}
		d.counts.known++
	}
	acts = d.decide(&dec)
	d.last = key
	return dec, acts, true, nil
}

// least returns the smallest key at the head of any stream.
func (d *detector) least() (string, bool) {
	key, ok := "", false
	if !d.source.ended {
		key, ok = d.source.key, true
	}
	if !d.destination.ended && (!ok || d.destination.key < key) {
		key, ok = d.destination.key, true
	}
	if !d.ledger.ended && (!ok || d.ledger.key < key) {
		key, ok = d.ledger.key, true
	}
	return key, ok
}

// decide fills in the verdict; false means that nothing needs to be done.
func (d *detector) decide(dec *decision) bool {
	if dec.hasDestination && isGap(&dec.destination, dec.key) {
		d.destinationGap = dec.key
		d.unseen = true
		dec.hasDestination = false
	}
	if dec.hasSource && dec.source.Problem != nil {
		if isGap(&dec.source, dec.key) {
			d.sourceGap = dec.key
		}
		dec.verdict = verdictProblem
		return true
	}
	if dec.hasSource {
		d.counts.listed++
		return d.decidePresent(dec)
	}
	return d.decideAbsent(dec)
}

func (d *detector) decidePresent(dec *decision) bool {
	e := &dec.entry
	switch {
	case !dec.hasDestination:
		dec.verdict = verdictCopy
	case !dec.known || string(dec.destination.Tag) != e.DestinationTag || dec.destination.Problem != nil:
		dec.verdict = verdictUnknown
	case string(dec.source.Tag) != e.SourceTag || dec.source.Size != e.SourceSize:
		dec.verdict = verdictCopy
	case dec.source.Stamp != e.SourceStamp || !backend.Settled(e.SourceStamp):
		dec.verdict = verdictRehash
	default:
		d.counts.unchanged++
		return false
	}
	return true
}

func (d *detector) decideAbsent(dec *decision) bool {
	if within(dec.key, d.sourceGap) {
		d.unseen = d.unseen || !dec.known && dec.hasDestination
		return false // it may well be there
	}
	switch {
	case !dec.known && d.doubt && dec.hasDestination && dec.destination.Problem == nil:
		dec.verdict = verdictClaim
	case !dec.known:
		return false // somebody else's, and none of our business
	case dec.hasDestination:
		dec.verdict = verdictDelete
	case within(dec.key, d.destinationGap):
		return false
	default:
		dec.verdict = verdictForget
	}
	return true
}

// isGap reports whether a listing entry stands for a whole range of keys that
// the listing lacks.
func isGap(o *backend.Object, key string) bool {
	return o.Problem != nil && strings.HasSuffix(key, "/")
}

// within reports whether key lies in the range that prefix spans.
func within(key, prefix string) bool {
	return prefix != "" && strings.HasPrefix(key, prefix)
}
