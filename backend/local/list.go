package local

import (
	"context"
	"errors"
	"io/fs"
	"iter"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/objrepl/replication/backend"
)

const (
	pageSize = 1000
	// chunk is how many neighbours one job looks at.
	chunk = 512
	// jobs run at the same time; more of them only wait for the disk or the
	// network, which is what they are for.
	listJobs = 8
	// ahead bounds the results that wait for the consumer.
	listAhead = 2 * listJobs
)

// List implements backend.Backend. Metadata is not part of it: that would be
// another call to the system for every file.
func (s *store) List(ctx context.Context, opts backend.ListOptions) iter.Seq2[[]backend.Object, error] {
	return func(yield func([]backend.Object, error) bool) {
		h, err := s.acquire(false)
		if err != nil {
			yield(nil, s.fail("list", "", err))
			return
		}
		defer h.release()
		ctx, cancel := context.WithCancel(ctx)
		l := &lister{
			store: s, handle: h, stopped: ctx.Err, stop: ctx.Done(), span: span{opts.Prefix, opts.After, opts.Until},
			slots: make(chan struct{}, listJobs), yield: yield,
		}
		// Jobs look at the context between any two calls to the system.
		defer l.running.Wait()
		defer cancel()
		err = l.run()
		if err == nil {
			// Only a listing of the right directory is a complete one.
			err = s.present(h)
		}
		if err == errStopped {
			return
		}
		if len(l.page) > 0 && !yield(l.page, nil) {
			return
		}
		if err != nil {
			yield(nil, s.fail("list", "", err))
		}
	}
}

var errStopped = errors.New("the consumer has enough")

// A lister goes through a tree in key order, one directory after the other,
// while jobs read the directories and files that come next. It lives in the
// goroutine of the consumer; jobs share nothing with it but their results.
type lister struct {
	store   *store
	handle  *handle
	stopped func() error // the error of the call's context
	stop    <-chan struct{}
	span    span
	above   []version // directories above the first one, for loops

	slots   chan struct{} // one per job that runs
	running sync.WaitGroup
	waiting int // results that were asked for and not used yet

	page  []backend.Object
	yield func([]backend.Object, error) bool
}

// A frame is a directory on the way to the current place. It holds the chunks
// from the one whose turn it is to the last that was asked for.
type frame struct {
	names   *sortedNames
	id      version         // for loops, where links are followed
	next    int             // the entry whose turn it is
	planned int             // entries before it have been asked for
	known   int             // entries of all chunks so far
	asked   int             // of the results asked for, those not used yet
	dirs    map[int]*result // by entry
	ahead   []*result       // chunks whose turn has not come
	last    *result         // of all chunks
	current *result
}

// A result is what a job found: the objects of one chunk, in their places,
// where a place without a key has none; or a directory and that of its first.
type result struct {
	done    chan struct{}
	names   *sortedNames
	id      version
	entries *entries // of the chunk
	objects []backend.Object
	err     error
}

func (l *lister) run() error {
	start, ok := l.start()
	if !ok {
		return nil
	}
	first := new(result)
	if l.readDir(first, start, false); first.err != nil {
		return l.startError(start, first.err)
	}
	stack := []*frame{newFrame(first)}
	defer func() {
		for _, f := range stack {
			f.names.close()
		}
	}()
	if l.store.follow {
		if err := l.lookAbove(start); err != nil {
			return err
		}
	}
	for len(stack) > 0 {
		f := stack[len(stack)-1]
		more, err := l.reach(f, f.next)
		if err != nil {
			return err
		}
		if !more {
			f.names.close()
			stack[len(stack)-1] = nil
			stack = stack[:len(stack)-1]
			continue
		}
		if err := l.plan(stack); err != nil {
			return err
		}
		i := f.next
		f.next++
		if i%chunk == 0 {
			if err := l.takeChunk(f); err != nil {
				return err
			}
		}
		if f.current.entries.list[i%chunk].kind != isDir {
			if o := &f.current.objects[i%chunk]; o.Key != "" && !l.emit(*o) {
				return errStopped
			}
			continue
		}
		sub, err := l.takeDir(f, i, stack)
		if err != nil {
			return err
		}
		if sub != nil {
			stack = append(stack, sub)
		}
	}
	return nil
}

// lookAbove notes the directories above the first one: a link below it that
// leads to one of them is a loop too.
func (l *lister) lookAbove(start string) error {
	for i := range len(start) {
		if i > 0 && start[i] != '/' || i == len(start)-1 {
			continue
		}
		info, err := l.handle.root.Stat(path.Clean(start[:i]))
		if err != nil {
			return err
		}
		l.above = append(l.above, versionOf(info, moment{}))
	}
	return nil
}

func newFrame(r *result) *frame {
	// The job that read the directory looked at its first chunk as well.
	done := make(chan struct{})
	close(done)
	first := &result{done: done, entries: r.entries, objects: r.objects}
	return &frame{names: r.names, id: r.id, dirs: map[int]*result{},
		known: len(r.entries.list), ahead: []*result{first}, last: first}
}

// reach reports whether the directory has an entry i, which is at most the one
// after those known; then it is in a chunk that has been asked for.
func (l *lister) reach(f *frame, i int) (bool, error) {
	if i < f.known {
		return true, nil
	}
	if f.known%chunk != 0 || f.known == 0 {
		return false, nil // the last chunk was short
	}
	e, err := f.names.next()
	if err != nil || len(e.list) == 0 {
		return false, err
	}
	f.known += len(e.list)
	f.asked++
	l.waiting++
	f.last = l.ask(&result{entries: e}, l.readChunk)
	f.ahead = append(f.ahead, f.last)
	f.names.note(len(f.names.held.list) + f.known - f.next)
	return true, nil
}

func (l *lister) emit(o backend.Object) bool {
	l.page = append(l.page, o)
	if len(l.page) < pageSize {
		return true
	}
	page := l.page
	l.page = make([]backend.Object, 0, pageSize) // after a full one, likely another
	return l.yield(page, nil)
}

// plan asks for what comes next: first in the current directory, then among
// the later neighbours of the directories above it. The current one always
// gets a share, whatever those above have asked for.
func (l *lister) plan(stack []*frame) error {
	for depth := len(stack) - 1; depth >= 0; depth-- {
		f := stack[depth]
		f.planned = max(f.planned, f.next)
		for {
			if l.waiting >= listAhead && (depth < len(stack)-1 || f.asked >= 2) {
				return nil
			}
			more, err := l.reach(f, f.planned)
			if err != nil {
				return err
			}
			if !more {
				break
			}
			i := f.planned
			f.planned++
			// Chunks are asked for when planning gets to them, so i is in the last.
			if e := f.last.entries; e.list[i%chunk].kind == isDir {
				f.asked++
				l.waiting++
				dir := e.dir + string(e.name(i%chunk))
				f.dirs[i] = l.ask(new(result), func(r *result) { l.readDir(r, dir, true) })
			}
		}
	}
	return nil
}

// takeChunk makes the next chunk the current one.
func (l *lister) takeChunk(f *frame) error {
	f.current = f.ahead[0]
	f.ahead = slices.Delete(f.ahead, 0, 1)
	if f.next > chunk { // the first one came with the directory
		f.asked--
		l.waiting--
	}
	if err := l.wait(f.current); err != nil {
		return err
	}
	return f.current.err
}

// takeDir returns the frame of the directory at entry i, or nothing if it has
// gone or cannot be listed.
func (l *lister) takeDir(f *frame, i int, stack []*frame) (*frame, error) {
	dir := f.names.dir + string(f.current.entries.name(i%chunk))
	r := f.dirs[i]
	if r != nil {
		delete(f.dirs, i)
		f.asked--
		l.waiting--
		if err := l.wait(r); err != nil {
			return nil, err
		}
	}
	if r == nil || errors.Is(r.err, errTooMany) {
		// Here rather than in a job, so that what it spills is never without
		// an owner.
		r = new(result)
		l.readDir(r, dir, false)
	}
	switch {
	case r.err == nil:
	case errors.Is(r.err, fs.ErrPermission), errors.Is(r.err, backend.ErrNotRegular):
		return nil, l.problem(dir, r.err)
	case missing(r.err):
		return nil, nil
	default:
		return nil, r.err
	}
	if l.store.follow && l.loops(r.id, stack) {
		r.names.close()
		return nil, l.problem(dir, errLoop)
	}
	return newFrame(r), nil
}

// loops reports whether a directory is one of those that it is in.
func (l *lister) loops(id version, stack []*frame) bool {
	return slices.ContainsFunc(l.above, id.sameFile) ||
		slices.ContainsFunc(stack, func(f *frame) bool { return f.id.sameFile(id) })
}

var errLoop = &classified{class: backend.ErrNotRegular, cause: "a symbolic link that leads back to a directory it is in",
	hint: "remove the link or set symlinks=skip"}

func (l *lister) problem(key string, err error) error {
	if !l.emit(backend.Object{Key: key, Problem: l.store.fail("list", key, err)}) {
		return errStopped
	}
	return nil
}

// ask starts a job and returns its result, which is there when done is closed.
func (l *lister) ask(r *result, job func(*result)) *result {
	r.done = make(chan struct{})
	l.running.Go(func() {
		defer close(r.done)
		select {
		case l.slots <- struct{}{}:
		case <-l.stop:
			r.err = l.stopped()
			return
		}
		job(r)
		<-l.slots
	})
	return r
}

func (l *lister) wait(r *result) error {
	if err := l.stopped(); err != nil {
		return err
	}
	select {
	case <-r.done:
		return nil
	case <-l.stop:
		return l.stopped()
	}
}

// start returns the deepest directory that all keys with the prefix are in, or
// false if no key can have the prefix.
func (l *lister) start() (dir string, ok bool) {
	i := strings.LastIndexByte(l.span.prefix, '/')
	if i < 0 {
		return "", true
	}
	dir = l.span.prefix[:i+1]
	if l.store.checkKey(dir[:i]) != nil || !l.span.touches([]byte(dir)) {
		return "", false
	}
	return dir, true
}

// startError is what it means that the first directory cannot be read. Below
// the top a missing one holds no keys; one that cannot be read holds a part of
// the span that nobody can tell, which is a problem of that directory if all
// of it was asked for, and else a listing that failed.
func (l *lister) startError(dir string, err error) error {
	if missing(err) && dir != "" {
		err = l.store.absentIfMissing(l.handle, dir, err)
		if err == errAbsent {
			return nil
		}
	}
	if err2 := l.store.present(l.handle); err2 != nil {
		return err2
	}
	if dir != "" && dir == l.span.prefix && (errors.Is(err, fs.ErrPermission) || errors.Is(err, backend.ErrNotRegular)) {
		return l.problem(dir, err)
	}
	return err
}
