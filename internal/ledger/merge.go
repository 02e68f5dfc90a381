package ledger

import (
	"context"
	"errors"
	"io"
)

// merged yields the rows of several sorted sources in key order, each key
// once: where sources share one, the later source wins. Removed keys are left
// out unless kept.
type merged struct {
	sources []*chain
	heads   []*row // nil once its source has ended
	spent   []int  // sources to advance before the next row: theirs was yielded
}

func merge(ctx context.Context, sources []*chain) (*merged, error) {
	m := &merged{sources: sources, heads: make([]*row, len(sources))}
	for i := range sources {
		if err := m.advance(ctx, i); err != nil {
			return nil, errors.Join(err, m.close())
		}
	}
	return m, nil
}

func (m *merged) advance(ctx context.Context, i int) error {
	head, err := m.sources[i].read(ctx)
	if errors.Is(err, io.EOF) {
		head, err = nil, nil
	}
	m.heads[i] = head
	return err
}

// next returns the next row that is not removed, valid until the call after
// it, or io.EOF.
func (m *merged) next(ctx context.Context) (*row, error) {
	for {
		for _, i := range m.spent {
			if err := m.advance(ctx, i); err != nil {
				return nil, err
			}
		}
		m.spent = m.spent[:0]
		least := -1
		for i, head := range m.heads {
			if head != nil && (least < 0 || head.Key <= m.heads[least].Key) {
				least = i
			}
		}
		if least < 0 {
			return nil, io.EOF
		}
		for i, head := range m.heads {
			if head != nil && head.Key == m.heads[least].Key {
				m.spent = append(m.spent, i)
			}
		}
		if m.heads[least].Flags&flagGone == 0 {
			return m.heads[least], nil
		}
	}
}

func (m *merged) close() error {
	var errs []error
	for _, s := range m.sources {
		errs = append(errs, s.close())
	}
	return errors.Join(errs...)
}
