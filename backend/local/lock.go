package local

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"os"
	"sync"
	"time"
)

// locks make the comparison of a version and its replacement one step among
// all writers of this package: goroutines by a channel, processes by a lock on
// a file. Keys share a fixed number of them.
//
// The files are locked by descriptor, opened through the store's root: a lock
// library that opens by path would follow a link out of it.
type locks struct {
	stripes [lockStripes]stripe
	once    sync.Once
	closed  chan struct{}
}

const lockStripes = 64

type stripe struct {
	turn chan struct{} // holds one token while nobody has the stripe
	file *os.File      // owned by whoever has the turn
}

func newLocks() *locks {
	l := &locks{closed: make(chan struct{})}
	for i := range l.stripes {
		l.stripes[i].turn = make(chan struct{}, 1)
		l.stripes[i].turn <- struct{}{}
	}
	return l
}

// lock waits until nobody else writes key and returns how to let the next one.
// The system drops the locks of a process that ends. On a file system without
// file locks a writer that relies on one, with a condition, is refused; the
// others exclude each other within this process.
func (s *store) lock(ctx context.Context, h *handle, key string, required bool) (unlock func(), err error) {
	sum := fnv.New32a()
	sum.Write([]byte(key))
	n := sum.Sum32() % lockStripes
	p := &s.locks.stripes[n]
	select {
	case <-p.turn:
	case <-s.locks.closed:
		return nil, os.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	name := fmt.Sprintf("%s/%02x", lockDir, n)
	err = s.lockFile(ctx, h, p, name)
	if errors.Is(err, errors.ErrUnsupported) && !required {
		return func() { p.turn <- struct{}{} }, nil
	}
	if err != nil {
		p.turn <- struct{}{}
		return nil, err
	}
	return func() {
		_ = unlockFile(p.file)
		p.turn <- struct{}{}
	}, nil
}

// lockFile is for whoever has the stripe's turn.
func (s *store) lockFile(ctx context.Context, h *handle, p *stripe, name string) error {
	for {
		if p.file == nil {
			f, err := s.openLock(h, name)
			if err != nil {
				return err
			}
			p.file = f
		}
		// Poll, since a blocking lock would not end with the context. The
		// other process holds it for one rename and its flush.
		for wait := time.Millisecond; ; wait = min(2*wait, 50*time.Millisecond) {
			got, err := s.hooks.tryLock(p.file)
			if err != nil {
				return err
			}
			if got {
				break
			}
			select {
			case <-time.After(wait):
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		// Somebody may have removed the file, and a third one locked its
		// successor: the lock counts only on the file that has the name.
		held, err := p.file.Stat()
		if err != nil {
			return err
		}
		if at, err := h.root.Lstat(name); err == nil && os.SameFile(at, held) {
			return nil
		}
		p.file.Close()
		p.file = nil
	}
}

func (s *store) openLock(h *handle, name string) (*os.File, error) {
	open := func() (*os.File, error) { return h.root.OpenFile(name, os.O_RDWR|os.O_CREATE|noWait, 0o666) }
	f, err := open()
	if errors.Is(err, fs.ErrNotExist) {
		if err := s.ensureDir(h, lockDir); err != nil {
			return nil, err
		}
		return open()
	}
	return f, err
}

// close waits for the writers that have a turn and closes every lock file.
func (l *locks) close() {
	l.once.Do(func() {
		close(l.closed)
		for i := range l.stripes {
			p := &l.stripes[i]
			<-p.turn
			if p.file != nil {
				p.file.Close()
				p.file = nil
			}
		}
	})
}
