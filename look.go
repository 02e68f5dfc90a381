package replication

import (
	"context"
	"slices"
	"sync/atomic"
	"unicode/utf8"

	"github.com/objrepl/replication/backend"
)

// look asks a store for many relative keys, in order: by a listing of their
// range where they lie close together, since a listing is a definite answer too,
// and else, and behind what so many pages have, by one HEAD each. An object is
// nil where the store has none. The error is that of a store that cannot be
// asked; of one key alone it stands in the object's Problem.
func (p *pass) look(ctx context.Context, e *endpoint, keys []string) ([]*backend.Object, error) {
	there := make([]*backend.Object, len(keys))
	listed, err := p.lookByListing(ctx, e, keys, there)
	if err != nil {
		return nil, e.wrap(err)
	}
	var ask []int
	for i := listed; i < len(keys); i++ {
		ask = append(ask, i)
	}
	var away atomic.Pointer[error]
	p.pool.each(ctx, ask, func(i int) {
		if away.Load() != nil {
			return
		}
		var o backend.Object
		err := p.again.call(ctx, func() (err error) {
			o, err = e.Stat(ctx, e.key(keys[i]))
			return err
		})
		if outOfReach(err) {
			away.Store(&err)
			return
		}
		e.answered.Store(true)
		switch {
		case err == nil:
			there[i] = &o
		case !absent(err):
			there[i] = &backend.Object{Key: e.key(keys[i]), Problem: err}
		}
	})
	if err := away.Load(); err != nil {
		return nil, e.wrap(*err)
	}
	return there, ctx.Err()
}

// lookByListing fills in what a listing of the keys' range has, as far as it
// comes, and returns how many of the keys are settled by it.
func (p *pass) lookByListing(ctx context.Context, e *endpoint, keys []string, there []*backend.Object) (settled int, err error) {
	pages := min(len(keys)/p.batching.heads, p.batching.pages)
	if pages == 0 || !e.props.StartAfter {
		return 0, nil
	}
	err = p.again.call(ctx, func() (err error) {
		settled, err = p.listKeys(ctx, e, keys, there, pages)
		return err
	})
	return settled, err
}

func (p *pass) listKeys(ctx context.Context, e *endpoint, keys []string, there []*backend.Object, pages int) (int, error) {
	opts := backend.ListOptions{Prefix: e.prefix, Until: e.key(keys[len(keys)-1])}
	if after := below(keys[0]); after != "" {
		opts.After = e.key(after)
	}
	clear(there)
	settled := 0
	for page, err := range e.List(ctx, opts) {
		if err != nil {
			return 0, err
		}
		for i := range page {
			key, _ := e.relative(page[i].Key)
			n, found := slices.BinarySearch(keys[settled:], key)
			settled += n
			if page[i].Problem != nil {
				return settled, nil // it may hide keys
			}
			if found {
				there[settled] = &page[i]
				settled++
			}
		}
		if pages--; pages == 0 && settled < len(keys) {
			return settled, nil
		}
	}
	return len(keys), nil
}

// below returns a key before the given one with as little as possible between
// them; empty for the beginning.
func below(key string) string {
	if key == "" {
		return ""
	}
	rest := key[:len(key)-1]
	if c := key[len(key)-1]; c > '0' && c < utf8.RuneSelf {
		return rest + string(c-1) + top
	}
	return validPrefix(rest)
}
