package main

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/objrepl/replication"
)

func TestExitCodes(t *testing.T) {
	signalled, cancel := context.WithCancelCause(context.Background())
	cancel(errInterrupted)
	failed := errors.New("disk on fire")
	passes := func(errs ...error) error { return fmt.Errorf("all: %w", asPasses(errors.Join(errs...))) }
	for _, test := range []struct {
		ctx  context.Context
		err  error
		want int
	}{
		{err: nil, want: 0},
		{ctx: signalled, err: nil, want: 0},
		{ctx: signalled, err: context.Canceled, want: 130},
		{err: context.Canceled, want: 1},
		{err: failed, want: 1},
		{err: usagef("", "no"), want: 2},
		{err: replication.ErrInvalidPolicy, want: 2},
		{err: fmt.Errorf("%w: 3 of 5", replication.ErrObjectsFailed), want: 3},
		{err: fmt.Errorf("%w: %w", replication.ErrObjectsFailed, failed), want: 3},
		{err: fmt.Errorf("%w; %w", replication.ErrObjectsFailed, replication.ErrBrake), want: 4},
		{err: replication.ErrEmptySource, want: 4},
		{err: &replication.LockedError{PolicyID: "a", Holder: "b"}, want: 5},
		{err: passes(replication.ErrObjectsFailed, replication.ErrObjectsFailed), want: 3},
		{err: passes(replication.ErrObjectsFailed, replication.ErrBrake), want: 4},
		{err: passes(replication.ErrObjectsFailed, failed), want: 1},
		{err: passes(&replication.LockedError{}, replication.ErrObjectsFailed), want: 5},
	} {
		ctx := test.ctx
		if ctx == nil {
			ctx = context.Background()
		}
		if got := exitCode(ctx, test.err); got != test.want {
			t.Errorf("exit code of %v is %d, want %d", test.err, got, test.want)
		}
	}
}

func TestErrorsAreOneLine(t *testing.T) {
	err := errors.Join(errors.New("one"), errors.New("two\x1b[2J"))
	if got, want := describe(err, nil), "one; two\uFFFD[2J"; got != want {
		t.Errorf("describe = %q, want %q", got, want)
	}
}
