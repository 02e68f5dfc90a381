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
	"strings"
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

// intentFiles are in a policy's state.
type intentFiles struct {
	state       *policyState
	destination string
}

// read returns the intents of a file. There are none in one that was cut short,
// which is before any copy of it, that is of another place, or that is gone.
func (f intentFiles) read(ctx context.Context, name string) ([]intent, error) {
	raw, _, err := f.state.read(ctx, intentsDir+"/"+name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read which copies were begun: %w", err)
	}
	var file intentsFile
	if json.Unmarshal(raw, &file) != nil || file.Version != intentsVersion || file.Destination != f.destination {
		return nil, nil
	}
	return file.Copies, nil
}

// write makes intents durable.
func (f intentFiles) write(ctx context.Context, name string, all []intent) error {
	raw, err := json.Marshal(intentsFile{intentsVersion, f.destination, all})
	if err != nil {
		return err
	}
	return f.state.write(ctx, intentsDir+"/"+name, append(raw, '\n'))
}

func (f intentFiles) remove(ctx context.Context, name string) error {
	return f.state.remove(ctx, intentsDir+"/"+name)
}

// names lists the files.
func (f intentFiles) names(ctx context.Context) ([]string, error) {
	objects, err := f.state.list(ctx, intentsDir+"/")
	names := make([]string, len(objects))
	for n, o := range objects {
		names[n] = strings.TrimPrefix(o.Key, intentsDir+"/")
	}
	return names, err
}

// intents tell the copies that the store made for this policy, and that the ledger
// does not know, from somebody else's objects: an object is one of them if it is
// under the key of an intent and has the bytes that were to be copied there. They are
// those of passes that did not come to their end, and this pass's own whose answers
// were lost.
type intents struct {
	intentFiles
	earlier *earlierIntents

	mu   sync.Mutex
	lost map[string][]intent // of this pass, by key; guarded by mu
	used bool                // there may be files; guarded by mu
}

// openIntents looks at what earlier passes left, which they did only where they left
// doubt as well.
func openIntents(ctx context.Context, state *policyState, destination string, doubt bool) (*intents, error) {
	files := intentFiles{state, destination}
	i := &intents{intentFiles: files, earlier: &earlierIntents{intentFiles: files}, lost: map[string][]intent{}}
	if !doubt {
		return i, nil
	}
	names, err := i.names(ctx)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		i.used = true
		if err := i.earlier.open(ctx, name); err != nil {
			return nil, err
		}
	}
	return i, nil
}

// of returns the intents of a key that may have been carried out unseen.
func (i *intents) of(ctx context.Context, key string) ([]intent, error) {
	earlier, err := i.earlier.of(ctx, key)
	i.mu.Lock()
	defer i.mu.Unlock()
	return append(earlier, i.lost[key]...), err
}

// any reports whether there are intents whose copies the ledger may not know.
func (i *intents) any() bool {
	i.mu.Lock()
	lost := len(i.lost) > 0
	i.mu.Unlock()
	return lost || i.earlier.any()
}

// note makes intents of this pass durable under a name.
func (i *intents) note(ctx context.Context, name string, all []intent) error {
	i.mu.Lock()
	i.used = true
	i.mu.Unlock()
	return i.write(ctx, name, all)
}

// lose keeps an intent of this pass whose outcome nobody knows.
func (i *intents) lose(in intent) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if !slices.Contains(i.lost[in.Key], in) {
		i.lost[in.Key] = append(i.lost[in.Key], in)
	}
}

// found says that the outcome at a key is known after all.
func (i *intents) found(key string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	delete(i.lost, key)
}

// forget removes batches of one shard, whose copies are in the ledger, or were never
// made. What was lost of them is written anew before.
func (i *intents) forget(ctx context.Context, done []intentBatch, next func() string) error {
	if len(done) == 0 {
		return nil
	}
	from, until := done[0].first, done[len(done)-1].last
	if err := i.keepLost(ctx, next, func(key string) bool { return from <= key && key <= until }); err != nil {
		return err
	}
	var errs []error
	for _, b := range done {
		errs = append(errs, i.remove(ctx, b.name))
	}
	return errors.Join(errs...)
}

// keepLost makes what was lost durable, of some keys, in files of its own.
func (i *intents) keepLost(ctx context.Context, next func() string, of func(key string) bool) error {
	i.mu.Lock()
	var rest []intent
	for _, key := range slices.Sorted(maps.Keys(i.lost)) {
		if of(key) {
			rest = append(rest, i.lost[key]...)
		}
	}
	i.mu.Unlock()
	for some := range slices.Chunk(rest, maxIntents) {
		if err := i.write(ctx, next(), some); err != nil {
			return err
		}
	}
	return nil
}

// drop forgets all.
func (i *intents) drop() {
	i.earlier.drop()
	i.mu.Lock()
	defer i.mu.Unlock()
	clear(i.lost)
}

// keep makes the files those of the intents that are still open, after a pass that
// has seen every key through. next names files.
func (i *intents) keep(ctx context.Context, next func() string) error {
	i.mu.Lock()
	used := i.used
	i.mu.Unlock()
	if !used {
		return nil
	}
	names, err := i.names(ctx)
	errs := []error{err}
	if err := i.keepLost(ctx, next, func(string) bool { return true }); err != nil {
		return err
	}
	for _, name := range names {
		if !i.earlier.has(name) {
			errs = append(errs, i.remove(ctx, name))
		}
	}
	return errors.Join(errs...)
}

// made returns the source version that an object is a copy of that the store was
// asked to make, as far as the store's checksum tells.
func (i *intents) made(ctx context.Context, there backend.Object) (fingerprint, bool, error) {
	if there.Checksum == "" {
		return fingerprint{}, false, nil
	}
	all, err := i.of(ctx, there.Key)
	for _, in := range slices.Backward(all) {
		if in.Size == there.Size && in.Checksum == there.Checksum {
			return in.fingerprint(), true, err
		}
	}
	return fingerprint{}, false, err
}

// meant reports whether this version was to be copied to this key, of one whose
// bytes were found there.
func (i *intents) meant(ctx context.Context, key string, source fingerprint) (bool, error) {
	all, err := i.of(ctx, key)
	return slices.ContainsFunc(all, func(in intent) bool { return in.fingerprint() == source }), err
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
