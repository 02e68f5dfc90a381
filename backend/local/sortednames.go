package local

import "os"

// sortLimits bound the memory that the names of one directory take.
type sortLimits struct {
	held int // bytes of names, and of what finds them, before they go to disk
	runs int // sorted runs on disk before they become one
}

// 4 MiB hold 120,000 names of 27 characters. Larger directories are rare, and
// each that is on the way to the current place has as much.
const (
	heldBytes = 4 << 20
	spillRuns = 256 // with a block of each in memory, another 4 MiB
	// aheadBytes bounds a directory that is read ahead of its turn. A larger
	// one is dropped and read when its turn comes, so that not several of
	// them are in memory.
	aheadBytes = 1 << 20
)

// sortedNames are the names of one directory in byte order, each once, in
// memory that does not grow with their number: what is too much for it goes to
// a temporary file in sorted runs, which are merged as the names are used.
// First add, then sort, then next; and close in any case.
type sortedNames struct {
	dir     string
	limits  sortLimits
	scratch func() (*os.File, error) // nil to give up with errTooMany instead
	stopped func() error             // the error of the call's context
	holds   func(names int)          // for tests, or nil

	held  entries
	spill *spill // nil while all names are held
	merge *merge // from sort on, if there is a spill
}

func (s *sortedNames) add(name []byte, kind uint8) error {
	if n := s.held.bytes(); n > 0 && n+len(name)+entryBytes > s.limits.held {
		if err := s.spillHeld(); err != nil {
			return err
		}
	}
	s.held.add(name, kind)
	return nil
}

// spillHeld writes what is in memory to disk as one run.
func (s *sortedNames) spillHeld() error {
	if s.scratch == nil {
		return errTooMany
	}
	if err := s.stopped(); err != nil {
		return err
	}
	s.note(len(s.held.list))
	if s.spill == nil {
		spill, err := newSpill(s.scratch)
		if err != nil {
			return err
		}
		s.spill = spill
	}
	s.held.sort()
	for i, x := range s.held.list {
		if err := s.spill.add(s.held.name(i), x.kind); err != nil {
			return err
		}
	}
	s.held.text, s.held.list = s.held.text[:0], s.held.list[:0]
	if err := s.spill.endRun(); err != nil || len(s.spill.ends) < s.limits.runs {
		return err
	}
	return s.mergeRuns()
}

// mergeRuns makes one run of all, in a file of its own.
func (s *sortedNames) mergeRuns() error {
	old := s.spill
	defer old.close()
	m, err := old.merge()
	if err != nil {
		return err
	}
	if s.spill, err = newSpill(s.scratch); err != nil {
		return err
	}
	moved := 0
	err = m.take(-1, func(name []byte, kind uint8) error {
		if moved++; moved%1024 == 0 {
			if err := s.stopped(); err != nil {
				return err
			}
		}
		return s.spill.add(name, kind)
	})
	if err != nil {
		return err
	}
	return s.spill.endRun()
}

// sort ends the adding.
func (s *sortedNames) sort() error {
	if s.spill == nil {
		s.held.sort()
		return nil
	}
	err := s.spillHeld()
	s.held = entries{} // so that it is free while the names are used
	if err == nil {
		s.merge, err = s.spill.merge()
	}
	return err
}

// next returns the next chunk of names. Only the last one is shorter, or empty.
func (s *sortedNames) next() (*entries, error) {
	if s.merge == nil {
		n := min(chunk, len(s.held.list))
		e := &entries{dir: s.dir, text: s.held.text, list: s.held.list[:n]}
		s.held.list = s.held.list[n:]
		return e, nil
	}
	e := &entries{dir: s.dir}
	if len(s.merge.runs) == 0 {
		return e, nil
	}
	e.text, e.list = make([]byte, 0, blockSize), make([]entry, 0, chunk)
	err := s.merge.take(chunk, func(name []byte, kind uint8) error {
		e.add(name, kind)
		return nil
	})
	return e, err
}

func (s *sortedNames) close() {
	if s.spill != nil {
		s.spill.close()
	}
}

func (s *sortedNames) note(names int) {
	if s.holds != nil {
		s.holds(names)
	}
}
