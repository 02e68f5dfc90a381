package local

import (
	"context"
	"errors"
	"io/fs"
	"iter"
	"path"
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
	// aheadNames bounds a directory that is read ahead of its turn. A larger
	// one is dropped and read when its turn comes, so that not several of
	// them are in memory.
	aheadNames = 32 << 10
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

// A frame is a directory on the way to the current place.
type frame struct {
	*entries
	id      version         // for loops, where links are followed
	next    int             // the entry whose turn it is
	planned int             // entries before it have been asked for
	asked   int             // of those, results not used yet
	dirs    map[int]*result // by entry
	chunks  map[int]*result // by number of the chunk
	objects []backend.Object
}

// A result is what a job found: a directory and its first objects, or the
// objects of one chunk, in their places; a place without a key has none.
type result struct {
	done    chan struct{}
	entries *entries
	id      version
	objects []backend.Object
	err     error
}

func (l *lister) run() error {
	start, ok := l.start()
	if !ok {
		return nil
	}
	first := l.ask(func(r *result) { l.readDir(r, start, 0) })
	if err := l.wait(first); err != nil {
		return err
	}
	if first.err != nil {
		return l.startError(start, first.err)
	}
	if l.store.follow {
		if err := l.lookAbove(start); err != nil {
			return err
		}
	}
	stack := []*frame{newFrame(first)}
	for len(stack) > 0 {
		f := stack[len(stack)-1]
		if f.next == len(f.list) {
			stack[len(stack)-1] = nil
			stack = stack[:len(stack)-1]
			continue
		}
		l.plan(stack)
		i := f.next
		f.next++
		if i%chunk == 0 {
			if err := l.takeChunk(f, i/chunk); err != nil {
				return err
			}
		}
		if f.list[i].kind != isDir {
			if o := &f.objects[i%chunk]; o.Key != "" && !l.emit(*o) {
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
	f := &frame{entries: r.entries, id: r.id, dirs: map[int]*result{}, chunks: map[int]*result{}}
	if len(f.list) > 0 {
		// The job that read the directory looked at its first chunk as well.
		done := make(chan struct{})
		close(done)
		f.chunks[0] = &result{done: done, objects: r.objects}
	}
	return f
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
func (l *lister) plan(stack []*frame) {
	for depth := len(stack) - 1; depth >= 0; depth-- {
		f := stack[depth]
		f.planned = max(f.planned, f.next)
		for f.planned < len(f.list) {
			if l.waiting >= listAhead && (depth < len(stack)-1 || f.asked >= 2) {
				return
			}
			i := f.planned
			f.planned++
			if i%chunk == 0 && f.chunks[i/chunk] == nil {
				l.askChunk(f, i/chunk)
			}
			if f.list[i].kind == isDir {
				l.askDir(f, i, aheadNames)
			}
		}
	}
}

func (l *lister) askChunk(f *frame, n int) {
	lo, hi := n*chunk, min((n+1)*chunk, len(f.list))
	f.asked++
	l.waiting++
	f.chunks[n] = l.ask(func(r *result) { l.readChunk(r, f.entries, lo, hi) })
}

func (l *lister) askDir(f *frame, i, limit int) {
	f.asked++
	l.waiting++
	dir := f.dir + string(f.name(i))
	f.dirs[i] = l.ask(func(r *result) { l.readDir(r, dir, limit) })
}

func (l *lister) takeChunk(f *frame, n int) error {
	if f.chunks[n] == nil {
		l.askChunk(f, n)
	}
	r := f.chunks[n]
	delete(f.chunks, n)
	if n > 0 { // the first one came with the directory
		f.asked--
		l.waiting--
	}
	if err := l.wait(r); err != nil {
		return err
	}
	f.objects = r.objects
	return r.err
}

// takeDir returns the frame of the directory at entry i, or nothing if it has
// gone or cannot be listed.
func (l *lister) takeDir(f *frame, i int, stack []*frame) (*frame, error) {
	if f.dirs[i] == nil {
		l.askDir(f, i, 0)
	}
	for {
		r := f.dirs[i]
		delete(f.dirs, i)
		f.asked--
		l.waiting--
		if err := l.wait(r); err != nil {
			return nil, err
		}
		switch {
		case r.err == nil:
		case errors.Is(r.err, errTooMany):
			l.askDir(f, i, 0)
			continue
		case errors.Is(r.err, fs.ErrPermission), errors.Is(r.err, backend.ErrNotRegular):
			return nil, l.problem(f.dir+string(f.name(i)), r.err)
		case missing(r.err):
			return nil, nil
		default:
			return nil, r.err
		}
		if l.store.follow {
			for _, above := range l.above {
				if above.sameFile(r.id) {
					return nil, l.problem(f.dir+string(f.name(i)), errLoop)
				}
			}
			for _, above := range stack {
				if above.id.sameFile(r.id) {
					return nil, l.problem(f.dir+string(f.name(i)), errLoop)
				}
			}
		}
		return newFrame(r), nil
	}
}

var errLoop = &classified{class: backend.ErrNotRegular, cause: "a symbolic link that leads back to a directory it is in",
	hint: "remove the link or set symlinks=skip"}

func (l *lister) problem(key string, err error) error {
	if !l.emit(backend.Object{Key: key, Problem: l.store.fail("list", key, err)}) {
		return errStopped
	}
	return nil
}

// ask starts a job and returns where its result will be.
func (l *lister) ask(job func(*result)) *result {
	r := &result{done: make(chan struct{})}
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
