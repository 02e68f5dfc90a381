package ledger

import (
	"errors"
	"io"
)

// merged yields the rows of several sorted sources in key order, each key
// once: where sources share one, the later source wins. Removed keys are left
// out.
type merged struct {
	sources []*segmentReader
	heads   []*row // nil once its source has ended
}

func merge(sources []*segmentReader) (*merged, error) {
	m := &merged{sources: sources, heads: make([]*row, len(sources))}
	for i := range sources {
		if err := m.advance(i); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func (m *merged) advance(i int) error {
	head, err := m.sources[i].read()
	if errors.Is(err, io.EOF) {
		head, err = nil, nil
	}
	m.heads[i] = head
	return err
}

// each calls f with every remaining row, which is valid during the call.
func (m *merged) each(f func(*row) error) error {
	for {
		least := -1
		for i, head := range m.heads {
			if head != nil && (least < 0 || head.Key <= m.heads[least].Key) {
				least = i
			}
		}
		if least < 0 {
			return nil
		}
		winner := m.heads[least]
		if winner.Flags&flagGone == 0 {
			if err := f(winner); err != nil {
				return err
			}
		}
		key := winner.Key
		for i, head := range m.heads {
			if head != nil && head.Key == key {
				if err := m.advance(i); err != nil {
					return err
				}
			}
		}
	}
}
