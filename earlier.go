package replication

import (
	"cmp"
	"context"
	"slices"
	"sync"
)

// earlierInMemory is how many files of earlier intents are in memory, at most.
const earlierInMemory = 16

// earlierIntents are those that passes before this one have left, since they were
// killed or lost an answer. However many there are, memory holds where each file of
// them begins and ends, and the intents of those files that were asked for last:
// passes go by key, and so do files.
type earlierIntents struct {
	intentFiles

	mu     sync.Mutex // held while files are read and replaced
	files  []earlierFile
	recent []earlierFile // those in memory, the last used at the end
}

// An earlierFile has the intents of a range of keys.
type earlierFile struct {
	name, first, last string
	copies            []intent // by key; nil where they are not in memory
}

func (f earlierFile) covers(key string) bool { return f.first <= key && key <= f.last }

// open notes which keys a file is about.
func (e *earlierIntents) open(ctx context.Context, name string) error {
	copies, err := e.read(ctx, name)
	if err != nil || len(copies) == 0 {
		return err
	}
	first, last := copies[0].Key, copies[0].Key
	for _, in := range copies[1:] {
		first, last = min(first, in.Key), max(last, in.Key)
	}
	e.files = append(e.files, earlierFile{name: name, first: first, last: last})
	return nil
}

// has reports whether a file is still of use.
func (e *earlierIntents) has(name string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.ContainsFunc(e.files, func(f earlierFile) bool { return f.name == name })
}

func (e *earlierIntents) any() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.files) > 0
}

// cover reports whether there may be one of a key.
func (e *earlierIntents) cover(key string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.ContainsFunc(e.files, func(f earlierFile) bool { return f.covers(key) })
}

// of returns those of a key.
func (e *earlierIntents) of(ctx context.Context, key string) (all []intent, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, f := range e.files {
		if !f.covers(key) {
			continue
		}
		copies, err := e.load(ctx, f)
		if err != nil {
			return nil, err
		}
		for n, _ := slices.BinarySearchFunc(copies, key, byKey); n < len(copies) && copies[n].Key == key; n++ {
			all = append(all, copies[n])
		}
	}
	return all, nil
}

func byKey(in intent, key string) int { return cmp.Compare(in.Key, key) }

// load returns a file's intents by key, and keeps them at hand. The caller holds mu.
func (e *earlierIntents) load(ctx context.Context, f earlierFile) ([]intent, error) {
	if n := slices.IndexFunc(e.recent, func(r earlierFile) bool { return r.name == f.name }); n >= 0 {
		f = e.recent[n]
		e.recent = slices.Delete(e.recent, n, n+1)
	} else {
		copies, err := e.read(ctx, f.name)
		if err != nil {
			return nil, err
		}
		slices.SortStableFunc(copies, func(a, b intent) int { return cmp.Compare(a.Key, b.Key) })
		f.copies = copies
	}
	if len(e.recent) == earlierInMemory {
		e.recent = slices.Delete(e.recent, 0, 1)
	}
	e.recent = append(e.recent, f)
	return f.copies, nil
}

// settle forgets those of keys of which the ledger now says, durably, what became: an
// intent that outlives that would claim what somebody else puts there. What else was
// in their files is written anew, under a name that next gives, before these go.
func (e *earlierIntents) settle(ctx context.Context, keys []string, next func() string) error {
	slices.Sort(keys)
	e.mu.Lock()
	defer e.mu.Unlock()
	var kept []earlierFile
	for n, f := range e.files {
		now, err := e.without(ctx, f, keys, next)
		if err != nil {
			e.files = append(kept, e.files[n:]...)
			return err
		}
		if now.name != "" {
			kept = append(kept, now)
		}
	}
	e.files = kept
	return nil
}

// without takes keys, which are in order, out of a file, and returns what there is of
// it then.
func (e *earlierIntents) without(ctx context.Context, f earlierFile, keys []string, next func() string) (earlierFile, error) {
	if n, _ := slices.BinarySearch(keys, f.first); n == len(keys) || keys[n] > f.last {
		return f, nil
	}
	copies, err := e.load(ctx, f)
	if err != nil {
		return f, err
	}
	rest := slices.DeleteFunc(slices.Clone(copies), func(in intent) bool {
		_, found := slices.BinarySearch(keys, in.Key)
		return found
	})
	if len(rest) == len(copies) {
		return f, nil
	}
	var now earlierFile
	if len(rest) > 0 {
		now = earlierFile{name: next(), first: rest[0].Key, last: rest[len(rest)-1].Key}
		if err := e.write(ctx, now.name, rest); err != nil {
			return f, err
		}
	}
	return now, e.remove(ctx, f.name)
}

// drop forgets all.
func (e *earlierIntents) drop() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.files, e.recent = nil, nil
}
