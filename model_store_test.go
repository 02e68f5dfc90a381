package replication

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"time"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/backend/memory"
)

// A simDriver opens the simulated stores: the settings name the side, and who
// opens it.
type simDriver struct{ *simulation }

func (d simDriver) Name() string { return "sim" }
func (d simDriver) Schema() backend.Schema {
	return backend.Schema{{Name: "side", Help: "which store"}, {Name: "actor", Help: "whose handle"}}
}

func (d simDriver) Open(_ context.Context, s backend.Settings) (backend.Backend, error) {
	return &simStore{Store: d.stores[s["side"]], sim: d.simulation, side: s["side"], actor: s["actor"]}, nil
}

const (
	sideSource      = "source"
	sideOther       = "other source"
	sideDestination = "destination"

	modelPage = 2 // objects in a page, so that page borders are everywhere
)

// A simStore is one replicator's handle of a store. Each call waits until the
// scheduler lets it through, with or without a fault, and whatever changes the
// destination is checked at the moment at which it becomes visible.
type simStore struct {
	*memory.Store
	sim   *simulation
	side  string
	actor string
}

func (h *simStore) Close() error { return nil }

// do makes one call as the scheduler wants it.
func (h *simStore) do(ctx context.Context, op, key string, apply func(verdictOf) error) error {
	v, err := h.sim.gate(ctx, h, op, key)
	if err == nil {
		err = v.before
	}
	if err == nil {
		err = apply(v)
		if err == nil {
			err = v.after
		}
	}
	if v.stop {
		h.sim.atKill()
		h.sim.stop()
	}
	err = h.sim.mutant.failed(h, err)
	// Time goes on from run to run in one bubble, and names what is in the trash.
	key = trashedKey.ReplaceAllString(key, trashTime+"/")
	h.sim.tracef("%s %s %s %q: %v", h.actor, h.side, op, key, outcomeText(err))
	return err
}

func outcomeText(err error) string {
	if err == nil {
		return "ok"
	}
	return err.Error()
}

func (h *simStore) Stat(ctx context.Context, key string) (o backend.Object, err error) {
	err = h.do(ctx, "stat", key, func(verdictOf) (err error) {
		o, err = h.Store.Stat(ctx, key)
		h.describe(&o)
		h.looked(o)
		return err
	})
	if err != nil {
		return backend.Object{}, err
	}
	h.sim.mutant.stated(h, &o)
	return o, nil
}

func (h *simStore) Open(ctx context.Context, key string, opts backend.OpenOptions) (o backend.Object, r io.ReadCloser, err error) {
	h.sim.mutant.opening(h, &opts)
	op := "open"
	if opts.Offset > 0 { // else the ranges of one object were one name, and in any order
		op = fmt.Sprintf("open at %d of", opts.Offset)
	}
	err = h.do(ctx, op, key, func(verdictOf) (err error) {
		o, r, err = h.open(ctx, key, opts)
		return err
	})
	if err != nil {
		if r != nil {
			r.Close()
		}
		return backend.Object{}, nil, err
	}
	if err := h.sim.mutant.opened(ctx, h, &o); err != nil {
		r.Close()
		return backend.Object{}, nil, err
	}
	return o, r, nil
}

func (h *simStore) open(ctx context.Context, key string, opts backend.OpenOptions) (backend.Object, io.ReadCloser, error) {
	if h.side == sideDestination {
		return h.Store.Open(ctx, key, opts)
	}
	now := h.sim.sources[h.side][key].current()
	if now != nil && opts.IfMatch != "" && opts.IfMatch != now.tag {
		return backend.Object{}, nil, fmt.Errorf("open %q: %w", key, backend.ErrPrecondition)
	}
	opts.IfMatch = ""
	o, r, err := h.Store.Open(ctx, key, opts)
	if err != nil {
		return o, nil, err
	}
	h.describe(&o)
	if h.sim.plan.setup.stamps {
		r = &unsteady{ReadCloser: r, same: func() bool { return h.sim.sources[h.side][key].current() == now }}
	}
	return o, r, nil
}

// An unsteady body says at its end that the object changed while it was read,
// as a file system does.
type unsteady struct {
	io.ReadCloser
	same func() bool
}

func (u *unsteady) Read(p []byte) (int, error) {
	n, err := u.ReadCloser.Read(p)
	if errors.Is(err, io.EOF) && !u.same() {
		err = backend.ErrPrecondition
	}
	return n, err
}

func (h *simStore) Put(ctx context.Context, key string, body backend.Body, opts backend.PutOptions) (o backend.Object, err error) {
	h.sim.mutant.putting(h, key, &opts)
	err = h.do(ctx, "put", key, func(v verdictOf) error {
		data, err := readBody(body, v.twice || h.sim.plan.setup.large)
		if err != nil {
			return fmt.Errorf("put %q: %w", key, err)
		}
		apply := func(late bool) error {
			if inModelTrash(key) {
				var err error
				o, err = h.Store.Put(context.Background(), key, backend.Bytes(data), opts)
				return err
			}
			before := h.sim.destination[key]
			stored, err := h.Store.Put(context.Background(), key, backend.Bytes(data), opts)
			if err != nil {
				return err
			}
			h.describe(&stored)
			o = stored
			h.sim.landed(h, before, stored, string(data), late)
			return nil
		}
		if v.late > 0 {
			h.sim.postpone(v.late, fmt.Sprintf("late: %s put %q", h.actor, key), func() error { return apply(true) })
			return backend.ErrUnavailable
		}
		return apply(false)
	})
	if err != nil && h.sim.mutant.acknowledgeAll && h.actor == modelPolicy {
		return backend.Object{Key: key, Size: body.Size, Tag: "never"}, nil
	}
	if err != nil {
		return backend.Object{}, err
	}
	return o, nil
}

// readBody reads a body whole, after a first attempt that got half way if
// twice is set.
func readBody(b backend.Body, twice bool) ([]byte, error) {
	var head []byte
	if twice {
		r, err := b.Open(0)
		if err != nil {
			return nil, err
		}
		head = make([]byte, b.Size/2)
		_, err = io.ReadFull(r, head)
		if err = errors.Join(err, r.Close()); err != nil {
			return nil, err
		}
	}
	r, err := b.Open(int64(len(head)))
	if err != nil {
		return nil, err
	}
	defer r.Close()
	tail, err := io.ReadAll(r)
	data := append(head, tail...)
	if err == nil && int64(len(data)) != b.Size {
		err = backend.ErrChecksum
	}
	return data, err
}

func (h *simStore) Delete(ctx context.Context, key string, opts backend.DeleteOptions) error {
	h.sim.mutant.deleting(h, &opts)
	return h.do(ctx, "delete", key, func(v verdictOf) error {
		apply := func(late bool) error {
			before := h.sim.destination[key]
			if err := h.Store.Delete(context.Background(), key, opts); err != nil {
				return err
			}
			if before != nil {
				h.sim.removed(h, before, late)
			}
			return nil
		}
		if v.late > 0 {
			h.sim.postpone(v.late, fmt.Sprintf("late: %s delete %q", h.actor, key), func() error { return apply(true) })
			return backend.ErrUnavailable
		}
		return apply(false)
	})
}

// List asks the scheduler before every page.
func (h *simStore) List(ctx context.Context, opts backend.ListOptions) iter.Seq2[[]backend.Object, error] {
	return func(yield func([]backend.Object, error) bool) {
		shown := opts.After >= hiddenPrefix
		h.sim.mutant.listing(h, &opts)
		for {
			var page []backend.Object
			err := h.do(ctx, "list", opts.After, func(verdictOf) error {
				for p, err := range h.Store.List(ctx, opts) {
					page = p
					return err
				}
				return nil
			})
			if err != nil {
				if h.sim.mutant.truncate && h.actor == modelPolicy && !errors.Is(err, errStopped) {
					return
				}
				yield(nil, err)
				return
			}
			if len(page) == 0 {
				return
			}
			opts.After = page[len(page)-1].Key
			last := len(page) < modelPage
			for i := range page {
				h.describe(&page[i])
				h.looked(page[i])
			}
			page = h.hide(page, &shown)
			if len(page) > 0 && !yield(page, nil) || last {
				return
			}
		}
	}
}

const hiddenPrefix = "d/"

// hide puts one entry with a problem in the place of a directory that cannot
// be listed.
func (h *simStore) hide(page []backend.Object, shown *bool) []backend.Object {
	if !h.sim.hidden || h.side != sideSource || h.actor != modelPolicy {
		return page
	}
	var out []backend.Object
	for _, o := range page {
		switch {
		case !strings.HasPrefix(o.Key, hiddenPrefix):
			out = append(out, o)
		case h.sim.mutant.ignoreProblems || *shown:
		default:
			*shown = true
			out = append(out, backend.Object{Key: hiddenPrefix, Problem: fmt.Errorf("list: %w", backend.ErrUnavailable)})
		}
	}
	return out
}

// describe gives an answer of a source the tag and stamp that the model keeps,
// and any answer a time that means nothing.
func (h *simStore) describe(o *backend.Object) {
	if o.Key == "" {
		return
	}
	o.Modified = time.Unix(int64(len(o.Key))*1e8-int64(h.sim.clock)*1e7%3e8, 0)
	if h.side == sideDestination {
		return
	}
	if v := h.sim.sources[h.side][o.Key].current(); v != nil {
		o.Tag, o.Stamp = v.tag, v.stamp
	}
}
