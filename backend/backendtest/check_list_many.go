package backendtest

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/objrepl/replication/backend"
)

var longListChecks = []Check{
	{"list-many", "long listings are complete, in order, and resume at page borders", checkListMany},
	{"list-while-writing", "what is not written to is in every listing, once", checkListWhileWriting},
}

// checkListMany uses names of one directory and of many.
func checkListMany(ctx context.Context, e *env) error {
	names := make([]string, e.opts.Objects)
	for i := range names {
		names[i] = fmt.Sprintf("flat/%06d", i)
		if i%2 == 1 {
			names[i] = fmt.Sprintf("tree/%02x/%d/o", i%251, i)
		}
	}
	keys, err := e.populate(ctx, names)
	if err != nil {
		return err
	}
	var borders []int // of pages, as positions in keys
	count := 0
	for page, err := range e.List(ctx, backend.ListOptions{Prefix: e.prefix}) {
		if err != nil {
			return err
		}
		count += len(page)
		borders = append(borders, count)
	}
	all := backend.ListOptions{Prefix: e.prefix}
	if err := e.wantSelected(ctx, ruleListComplete, keys, all); err != nil {
		return err
	}
	e.note("%d objects listed in %d pages", len(keys), len(borders))
	if !e.Properties().Ordered {
		return nil
	}
	// Around a few page borders and anywhere else: the first page that comes
	// after a key begins with the next one.
	var at []int
	for range 4 {
		b := borders[e.intN(len(borders))]
		at = append(at, b-2, b-1, b, b+1, e.intN(len(keys)))
	}
	for _, i := range at {
		if i < 0 || i >= len(keys) {
			continue
		}
		if err := e.wantNext(ctx, keys, i); err != nil {
			return err
		}
	}
	middle := all
	middle.After, middle.Until = keys[len(keys)/3], keys[2*len(keys)/3]
	return e.wantSelected(ctx, ruleListRange, keys, middle)
}

// wantNext checks the first page after the i-th key.
func (e *env) wantNext(ctx context.Context, keys []string, i int) error {
	for page, err := range e.List(ctx, backend.ListOptions{Prefix: e.prefix, After: keys[i]}) {
		if err != nil {
			return err
		}
		if len(page) == 0 {
			continue
		}
		rest := keys[i+1:]
		if got := keysOf(page); len(got) > len(rest) || !slices.Equal(got, rest[:len(got)]) {
			return ruleListRange.broken("first page after key %d of %d: got %s, want it to continue with %s", i, len(keys), e.showKeys(got), e.showKeys(rest))
		}
		return nil
	}
	if i+1 < len(keys) {
		return ruleListRange.broken("list after key %d of %d: got nothing, want the rest", i, len(keys))
	}
	return nil
}

// comeAndGo returns a function that puts an object and, when it is called again,
// removes it.
func (e *env) comeAndGo(ctx context.Context, name string) func() error {
	key, there := e.key(name), false
	return func() error {
		there = !there
		if !there {
			return e.remove(ctx, key)
		}
		_, err := e.put(ctx, key, []byte("passing"))
		return err
	}
}

// checkListWhileWriting lists objects that nobody touches while others come
// and go among them: all the time, and before the pages of the listing.
func checkListWhileWriting(ctx context.Context, e *env) error {
	names := make([]string, 60)
	for i := range names {
		names[i] = fmt.Sprintf("dir/%03d", i*10)
	}
	keys, err := e.populate(ctx, names)
	if err != nil {
		return err
	}
	still := map[string]bool{}
	for _, key := range keys {
		still[key] = true
	}
	listing, stop := context.WithCancel(ctx)
	defer stop()
	return errors.Join(race(3, func(i int) error {
		if i > 0 {
			for round := 0; round < maxBeside && listing.Err() == nil; round++ {
				write := e.comeAndGo(ctx, fmt.Sprintf("dir/%03d", 10*(round%60)+i))
				if err := errors.Join(write(), write()); err != nil {
					return err
				}
			}
			return nil
		}
		defer stop()
		for range 10 {
			var got []string
			write := e.comeAndGo(ctx, "dir/0000")
			for objects, err := range e.List(ctx, backend.ListOptions{Prefix: e.prefix}) {
				if err != nil {
					return ruleListComplete.broken("list while others write: got error %w, want success", err)
				}
				for _, key := range keysOf(objects) {
					if still[key] {
						got = append(got, key)
					}
				}
				if err := write(); err != nil {
					return err
				}
			}
			if slices.Sort(got); !slices.Equal(got, keys) {
				return ruleListComplete.broken("list while others write: got %s of the keys that nobody touches, want %s", e.showKeys(got), e.showKeys(keys))
			}
		}
		return nil
	})...)
}
