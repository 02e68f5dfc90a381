package backendtest

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/objrepl/replication/backend"
)

var writeChecks = []Check{
	{"put-visible", "a write is in the next answers, a delete out of them", checkPutVisible},
	{"put-too-large", "a body beyond MaxPut is refused before it is read", checkTooLarge},
	{"put-overwritten", "readers beside an overwriting writer see whole versions", checkPutOverwritten},
	{"concurrent", "many goroutines see what they wrote", checkConcurrent},
}

func checkPutVisible(ctx context.Context, e *env) error {
	key := e.key("object")
	for i := range 10 {
		data := fmt.Appendf(nil, "version %d", i)
		o, err := e.put(ctx, key, data)
		if err != nil {
			return err
		}
		listed, err := e.list(ctx, backend.ListOptions{Prefix: e.prefix})
		if err != nil {
			return err
		}
		if len(listed) != 1 || listed[0].Key != key || listed[0].Tag != o.Tag {
			return ruleListComplete.broken("list after put %d: got %v, want %q with tag %q", i+1, listed, key, o.Tag)
		}
		if err := e.wantContent(ctx, ruleWhole, key, data, o.Tag); err != nil {
			return err
		}
		if i%2 == 1 {
			if err := e.remove(ctx, key); err != nil {
				return err
			}
			if err := e.wantAbsent(ctx, ruleDelete, key); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkTooLarge(ctx context.Context, e *env) error {
	limit := e.Properties().MaxPut
	if limit == 0 {
		return e.skip("no limit is declared")
	}
	key := e.key("object")
	body := backend.Body{Size: limit + 1, Open: func(int64) (io.ReadCloser, error) { return nil, errBody }}
	_, err := e.Put(ctx, key, body, backend.PutOptions{})
	return errors.Join(
		ruleMaxPut.wantError(fmt.Sprintf("put of %d bytes", limit+1), err, backend.ErrTooLarge),
		e.wantAbsent(ctx, ruleMaxPut, key),
	)
}

// checkPutOverwritten lets readers watch a key whose versions are each of one
// repeated byte and a length of their own, so that any mixture shows.
func checkPutOverwritten(ctx context.Context, e *env) error {
	key := e.key("object")
	version := func(i int) []byte {
		b := make([]byte, 100_000+i)
		for j := range b {
			b[j] = byte(i)
		}
		return b
	}
	if _, err := e.put(ctx, key, version(0)); err != nil {
		return err
	}
	const versions = 20
	watch := func() error {
		o, got, err := e.read(ctx, key, backend.OpenOptions{})
		if errors.Is(err, backend.ErrPrecondition) {
			return nil // the store cannot hold a version still, and said so
		}
		if err != nil {
			return ruleWhole.broken("read while another writes: got error %w, want a version", err)
		}
		v := len(got) - 100_000
		if v < 0 || v >= versions || difference(got, version(v)) != "" || o.Size != int64(len(got)) {
			return ruleWhole.broken("read while another writes: got %d bytes of size %d that are no version ever written", len(got), o.Size)
		}
		return nil
	}
	writing := make([]context.Context, versions) // each ends with its version's Put
	stop := make([]context.CancelFunc, versions)
	for v := range versions {
		writing[v], stop[v] = context.WithCancel(ctx)
	}
	stopAll := func() {
		for _, stop := range stop {
			stop()
		}
	}
	defer stopAll()
	return errors.Join(race(4, func(i int) error {
		if i == 0 {
			defer stopAll() // a Put may have failed
		}
		for v := range versions {
			if i == 0 {
				if _, err := e.put(ctx, key, version(v)); err != nil {
					return err
				}
				stop[v]()
				continue
			}
			for n := 0; n == 0 || n < maxReads && writing[v].Err() == nil; n++ {
				if err := watch(); err != nil {
					return err
				}
			}
			<-writing[v].Done()
		}
		return nil
	})...)
}

// checkConcurrent gives each goroutine keys of its own among those of others.
func checkConcurrent(ctx context.Context, e *env) error {
	return errors.Join(race(workers, func(i int) error {
		for round := range 5 {
			key := e.key(fmt.Sprintf("d%d/object-%02d", i%3, i))
			data := e.bytes(1 + e.intN(20_000))
			o, err := e.put(ctx, key, data)
			if err != nil {
				return err
			}
			if err := e.wantContent(ctx, ruleConcurrent, key, data, o.Tag); err != nil {
				return err
			}
			// Others come and go, but what this goroutine wrote is there.
			listed, err := e.list(ctx, backend.ListOptions{Prefix: e.prefix})
			if err != nil {
				return err
			}
			found := false
			for _, l := range listed {
				found = found || (l.Key == key && l.Tag == o.Tag)
			}
			if !found {
				return ruleConcurrent.broken("list while others write: got %s, want %q with tag %q among them", e.showKeys(keysOf(listed)), key, o.Tag)
			}
			if round%2 == 0 {
				if err := e.remove(ctx, key); err != nil {
					return err
				}
				if err := e.wantAbsent(ctx, ruleConcurrent, key); err != nil {
					return err
				}
			}
		}
		return nil
	})...)
}
