package backendtest

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"

	"github.com/objrepl/replication/backend"
)

// workers is how many calls run at once where a check needs many.
const workers = 16

// An env is what one check works with.
type env struct {
	backend.Backend // the store under test, recording what is written
	opts            Options
	open            Opener
	inner           backend.Backend // the store under test itself
	prefix          string          // begins every key of the check

	mu      sync.Mutex
	rand    *rand.Rand      // guarded by mu
	written map[string]bool // keys that Put was called with; guarded by mu
	notes   []string        // guarded by mu
}

func newEnv(s *suite, c Check, inner backend.Backend) *env {
	h := fnv.New64a()
	h.Write([]byte(c.Name))
	return &env{
		Backend: inner, inner: inner,
		opts: s.opts, open: s.open,
		prefix:  s.opts.Prefix + c.Name + "/",
		rand:    rand.New(rand.NewPCG(s.opts.Seed, h.Sum64())),
		written: map[string]bool{},
	}
}

// Put records the key before it writes, so that whatever a broken driver
// leaves behind is found again.
func (e *env) Put(ctx context.Context, key string, body backend.Body, opts backend.PutOptions) (backend.Object, error) {
	e.mu.Lock()
	e.written[key] = true
	e.mu.Unlock()
	return e.Backend.Put(ctx, key, body, opts)
}

// key returns a key of this check alone.
func (e *env) key(name string) string { return e.prefix + name }

// bytes returns n random bytes, none like the ones before.
func (e *env) bytes(n int) []byte {
	e.mu.Lock()
	defer e.mu.Unlock()
	b := make([]byte, n)
	for i := range b {
		if i%8 == 0 {
			word := e.rand.Uint64()
			for j := i; j < min(i+8, n); j++ {
				b[j] = byte(word >> (8 * (j - i)))
			}
		}
	}
	return b
}

// intN returns a random number below n.
func (e *env) intN(n int) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.rand.IntN(n)
}

// note records something worth knowing that is no failure.
func (e *env) note(format string, args ...any) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.notes = append(e.notes, fmt.Sprintf(format, args...))
}

// skip ends a check that has nothing to check in this store.
func (e *env) skip(reason string) error { return skipped{reason} }

// cleanUp deletes what is under the check's prefix, and every key that was
// written and hidden from the listing or put elsewhere.
func (e *env) cleanUp(ctx context.Context) error {
	doomed := map[string]bool{}
	var faults []error
	for page, err := range e.inner.List(ctx, backend.ListOptions{Prefix: e.prefix}) {
		if err != nil {
			faults = append(faults, fmt.Errorf("list what is left: %w", err))
			break
		}
		for _, o := range page {
			// A listing that strays from its prefix must not make this delete
			// what belongs to somebody else.
			if o.Problem == nil && strings.HasPrefix(o.Key, e.prefix) {
				doomed[o.Key] = true
			}
		}
	}
	e.mu.Lock()
	for key := range e.written {
		if !doomed[key] {
			doomed[key] = false // to be looked for
		}
	}
	e.mu.Unlock()
	keys := slices.Sorted(maps.Keys(doomed))
	for i, err := range parallel(len(keys), func(i int) error {
		if !doomed[keys[i]] {
			// Absent, or no key at all: nothing to delete.
			if _, err := e.inner.Stat(ctx, keys[i]); errors.Is(err, fs.ErrNotExist) || errors.Is(err, backend.ErrInvalidKey) {
				return nil
			}
		}
		err := e.inner.Delete(ctx, keys[i], backend.DeleteOptions{})
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}) {
		if err != nil {
			faults = append(faults, fmt.Errorf("left behind %q: %w", keys[i], err))
		}
	}
	return errors.Join(faults...)
}

// parallel calls f for 0 to n-1 from a few goroutines and returns each one's
// error in its place.
func parallel(n int, f func(int) error) []error {
	errs := make([]error, n)
	next := make(chan int)
	var wg sync.WaitGroup
	for range min(n, workers) {
		wg.Go(func() {
			for i := range next {
				errs[i] = protect(func() error { return f(i) })
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	wg.Wait()
	return errs
}

// race calls f for 0 to n-1 from as many goroutines at one moment.
func race(n int, f func(int) error) []error {
	errs := make([]error, n)
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			<-start
			errs[i] = protect(func() error { return f(i) })
		})
	}
	close(start)
	wg.Wait()
	return errs
}
