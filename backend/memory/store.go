package memory

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"iter"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/objrepl/replication/backend"
)

const driverName = "memory"

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// defaultPage is the page size of the large object stores.
const defaultPage = 1000

// A Store is one open store; it implements backend.Backend.
type Store struct {
	properties backend.Properties
	page       int
	service    string // stores of one copy from each other; empty for none
	uploads    uploads

	mu         sync.RWMutex
	objects    index  // guarded by mu
	generation uint64 // of the last version written; guarded by mu
}

// A version is immutable once it is in the index, so that readers share it.
type version struct {
	object   backend.Object // Metadata is nil here; see describe
	metadata backend.Metadata
	tags     map[string]string
	data     []byte
}

// An Option changes how a store behaves.
type Option func(*Store)

// WithPageSize makes listings yield pages of n objects, 1,000 by default.
// Small pages put page borders where tests can meet them.
func WithPageSize(n int) Option {
	return func(s *Store) { s.page = max(n, 1) }
}

// WithService makes stores of one service, which copy objects from each other and
// from themselves.
func WithService(name string) Option { return func(s *Store) { s.service = name } }

// WithProperties changes what a store declares. It keeps to it: conditions
// that are no longer declared are refused, limits that are set are enforced.
// That is how tests get a weaker store.
func WithProperties(change func(*backend.Properties)) Option {
	return func(s *Store) { change(&s.properties) }
}

// NewBackend returns a store that belongs to no Driver.
func NewBackend(opts ...Option) *Store {
	s := &Store{page: defaultPage}
	s.properties = backend.Properties{
		Location:    fmt.Sprintf("memory:%p", s),
		Ordered:     true,
		StartAfter:  true,
		Put:         backend.Conditions{IfAbsent: true, IfMatch: true},
		Delete:      backend.Conditions{IfMatch: true},
		Complete:    backend.Conditions{IfAbsent: true, IfMatch: true},
		BulkDelete:  backend.Conditions{IfMatch: true},
		Copy:        backend.Conditions{IfAbsent: true, IfMatch: true},
		UnknownSize: true,
		CheckKey:    checkKey,
		CheckClass:  checkClass,

		MaxBulkDelete: maxBulkDelete,
	}
	for _, opt := range opts {
		opt(s)
	}
	return s
}

// checkKey refuses the empty key alone, which no listing could ever yield.
func checkKey(key string) error {
	if key == "" {
		return fmt.Errorf("%w: it is empty", backend.ErrInvalidKey)
	}
	return nil
}

// Properties implements backend.Backend.
func (s *Store) Properties() backend.Properties { return s.properties }

// Close implements backend.Backend. There is nothing to release: the objects
// stay, and so does the use of s.
func (s *Store) Close() error { return nil }

// Len returns the number of objects.
func (s *Store) Len() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.objects.len
}

// Stat implements backend.Backend.
func (s *Store) Stat(ctx context.Context, key string) (backend.Object, error) {
	v, err := s.find(ctx, key)
	if err != nil {
		return backend.Object{}, fail("stat", key, err)
	}
	return v.describe(), nil
}

// find returns the current version under a key, or why there is none to have.
func (s *Store) find(ctx context.Context, key string) (*version, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := s.check(key); err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	v := s.objects.get(key)
	if v == nil {
		return nil, fs.ErrNotExist
	}
	return v, nil
}

func (s *Store) check(key string) error {
	if s.properties.CheckKey == nil {
		return checkKey(key)
	}
	return s.properties.CheckKey(key)
}

// Delete implements backend.Backend.
func (s *Store) Delete(ctx context.Context, key string, opts backend.DeleteOptions) error {
	err := ctx.Err()
	if err == nil {
		err = s.check(key)
	}
	if err == nil && opts.IfMatch != "" && !s.properties.Delete.IfMatch {
		err = fmt.Errorf("delete on a condition: %w", errors.ErrUnsupported)
	}
	if err != nil {
		return fail("delete", key, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := holds(backend.Condition{Match: opts.IfMatch}, s.objects.get(key)); err != nil {
		return fail("delete", key, err)
	}
	s.objects.remove(key)
	return nil
}

// holds reports why a condition does not hold for what is there now.
func holds(c backend.Condition, current *version) error {
	switch {
	case c.Absent && current != nil:
		return fmt.Errorf("%w: %w", backend.ErrPrecondition, fs.ErrExist)
	case c.Match != "" && current == nil:
		return fmt.Errorf("%w: the object is absent", backend.ErrPrecondition)
	case c.Match != "" && current.object.Tag != c.Match:
		return fmt.Errorf("%w: the version is %s, not %s", backend.ErrPrecondition, current.object.Tag, c.Match)
	}
	return nil
}

// List implements backend.Backend. Every page is taken at one moment, the
// listing as a whole is not, as in any store.
func (s *Store) List(ctx context.Context, opts backend.ListOptions) iter.Seq2[[]backend.Object, error] {
	return func(yield func([]backend.Object, error) bool) {
		after := opts.After
		for {
			if err := ctx.Err(); err != nil {
				yield(nil, fail("list", "", err))
				return
			}
			page := s.pageAfter(after, opts)
			if len(page) == 0 {
				return
			}
			// Before yield, since the page is the caller's from then on.
			after = page[len(page)-1].Key
			last := len(page) < s.page
			if !yield(page, nil) || last {
				return
			}
		}
	}
}

func (s *Store) pageAfter(after string, opts backend.ListOptions) []backend.Object {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var page []backend.Object
	for v := range s.objects.from(after, opts.Prefix) {
		key := v.object.Key
		if !strings.HasPrefix(key, opts.Prefix) || (opts.Until != "" && key > opts.Until) {
			break
		}
		if page = append(page, v.object); len(page) == s.page {
			break
		}
	}
	return page
}

// commit makes v the current version if the condition holds, and returns what
// it then is. It is the one moment at which a write becomes visible.
func (s *Store) commit(ctx context.Context, c backend.Condition, v *version) (backend.Object, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return backend.Object{}, err
	}
	if err := holds(c, s.objects.get(v.object.Key)); err != nil {
		return backend.Object{}, err
	}
	s.generation++
	v.object.Checksum = strconv.FormatUint(uint64(crc32.Checksum(v.data, castagnoli)), 16)
	v.object.Tag = backend.Tag(strconv.FormatUint(s.generation, 10))
	v.object.Modified = time.Now()
	s.objects.set(v)
	return v.describe(), nil
}

// describe returns the object with its metadata, as a copy of the caller's own.
func (v *version) describe() backend.Object {
	o, m := v.object, v.metadata.Clone()
	o.Metadata = &m
	return o
}

func fail(op, key string, err error) error {
	return &backend.Error{Op: op, Backend: driverName, Key: key, Err: err}
}
