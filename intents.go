package replication

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strconv"
	"sync"

	"github.com/objrepl/replication/backend"
)

// intentsDir holds, in a policy's state, the copies within the store that may have
// been made and are in no ledger yet. docs/FORMAT.md specifies them.
const (
	intentsDir     = "copies"
	intentsVersion = 1
)

// An intentsFile is many of them, written at once.
type intentsFile struct {
	Version     int      `json:"version"`
	Destination string   `json:"destination"` // Location
	Copies      []intent `json:"copies"`
}

// An intent is one copy that is about to be made.
type intent struct {
	Key      string `json:"key"` // at the destination
	Size     int64  `json:"source_size"`
	Tag      string `json:"source_tag"`
	Stamp    string `json:"source_stamp,omitempty"`
	Checksum string `json:"source_checksum,omitempty"`
}

func intentOf(key string, source backend.Object) intent {
	return intent{key, source.Size, string(source.Tag), source.Stamp, source.Checksum}
}

func (i intent) fingerprint() fingerprint {
	return fingerprint{size: i.Size, tag: backend.Tag(i.Tag), stamp: i.Stamp}
}

// intents tell the copies that the store made for this policy, and that the ledger
// does not know, from somebody else's objects: an object is one of them if it is
// under the key of an intent and has the bytes that were to be copied there. In
// memory are those of passes that did not come to their end, and this pass's own
// whose answers were lost.
type intents struct {
	state       *policyState
	destination string

	mu   sync.Mutex
	open map[string][]intent // by key; guarded by mu
	lost map[string]bool     // keys of which this pass lost an answer; guarded by mu
	used bool                // there may be files; guarded by mu
}

// openIntents reads what earlier passes left, which they did only where they left
// doubt as well.
func openIntents(ctx context.Context, state *policyState, destination string, doubt bool) (*intents, error) {
	i := &intents{state: state, destination: destination, open: map[string][]intent{}, lost: map[string]bool{}}
	if !doubt {
		return i, nil
	}
	objects, err := state.list(ctx, intentsDir+"/")
	if err != nil {
		return nil, err
	}
	for _, o := range objects {
		raw, _, err := state.read(ctx, o.Key)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		i.used = true
		var f intentsFile
		if json.Unmarshal(raw, &f) != nil || f.Version != intentsVersion || f.Destination != destination {
			continue // cut short, which is before any copy of it, or of another place
		}
		for _, in := range f.Copies {
			i.note(in)
		}
	}
	return i, nil
}

// note keeps an intent in memory.
func (i *intents) note(in intent) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if !slices.Contains(i.open[in.Key], in) {
		i.open[in.Key] = append(i.open[in.Key], in)
	}
}

// any reports whether there are intents whose copies the ledger may not know.
func (i *intents) any() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return len(i.open) > 0
}

// lose keeps an intent of this pass whose outcome nobody knows.
func (i *intents) lose(in intent) {
	i.note(in)
	i.mu.Lock()
	i.lost[in.Key] = true
	i.mu.Unlock()
}

// anyLost reports whether the outcome of any of these is not known.
func (i *intents) anyLost(all []intent) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return slices.ContainsFunc(all, func(in intent) bool { return i.lost[in.Key] })
}

// settled drops what earlier passes meant to copy to a key, of which the ledger now
// says what became: an intent that outlives that would claim what somebody else puts
// there.
func (i *intents) settled(key string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if !i.lost[key] {
		delete(i.open, key)
	}
}

// write makes intents durable under a name.
func (i *intents) write(ctx context.Context, name string, all []intent) error {
	raw, err := json.Marshal(intentsFile{intentsVersion, i.destination, all})
	if err != nil {
		return err
	}
	i.mu.Lock()
	i.used = true
	i.mu.Unlock()
	return i.state.write(ctx, intentsDir+"/"+name, append(raw, '\n'))
}

// remove forgets intents whose copies are in the ledger, or were never made.
func (i *intents) remove(ctx context.Context, name string) error {
	return i.state.remove(ctx, intentsDir+"/"+name)
}

// drop forgets all.
func (i *intents) drop() {
	i.mu.Lock()
	defer i.mu.Unlock()
	clear(i.open)
}

// keep makes the files those of the intents that are still open, after a pass that
// has seen every key through. next names files.
func (i *intents) keep(ctx context.Context, next func() string) error {
	i.mu.Lock()
	used := i.used
	rest := slices.Concat(slices.Collect(maps.Values(i.open))...)
	i.mu.Unlock()
	if !used {
		return nil
	}
	objects, err := i.state.list(ctx, intentsDir+"/")
	errs := []error{err}
	for some := range slices.Chunk(rest, maxIntents) {
		if err := i.write(ctx, next(), some); err != nil {
			return err
		}
	}
	for _, o := range objects {
		errs = append(errs, i.state.remove(ctx, o.Key))
	}
	return errors.Join(errs...)
}

// made returns the source version that an object is a copy of that the store was
// asked to make.
func (i *intents) made(there backend.Object) (fingerprint, bool) {
	if there.Checksum == "" {
		return fingerprint{}, false
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, in := range slices.Backward(i.open[there.Key]) {
		if in.Size == there.Size && in.Checksum == there.Checksum {
			return in.fingerprint(), true
		}
	}
	return fingerprint{}, false
}

// meant reports whether this version was to be copied to this key, of one whose
// bytes were found there.
func (i *intents) meant(key string, source fingerprint) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return slices.ContainsFunc(i.open[key], func(in intent) bool { return in.fingerprint() == source })
}

// settleDoubt ends the doubt, after a pass that has seen every key through, or
// leaves it together with the intents that the next pass has to know. A replay
// ends none but its own.
func (p *pass) settleDoubt(ctx context.Context) error {
	if p.options.replay && p.doubt.look.Load() {
		return nil
	}
	if !p.doubt.stays.Load() {
		p.within.intents.drop()
	}
	if err := p.within.intents.keep(ctx, p.nextIntents); err != nil {
		return fmt.Errorf("forget copies that are settled: %w", err)
	}
	return p.doubt.settle(ctx)
}

// nextIntents names a file of intents.
func (p *pass) nextIntents() string {
	return p.operation + "-" + strconv.FormatInt(p.operations.Add(1), 36) + ".json"
}
