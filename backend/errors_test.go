package backend_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/objrepl/replication/backend"
)

func TestErrorText(t *testing.T) {
	for want, err := range map[string]*backend.Error{
		`put s3 "a/b": precondition failed`: {Op: "put", Backend: "s3", Key: "a/b", Err: backend.ErrPrecondition},
		`list s3: unavailable`:              {Op: "list", Backend: "s3", Err: backend.ErrUnavailable},
		`stat "k": throttled`:               {Op: "stat", Key: "k", Err: backend.ErrThrottled},
		`put local "x\ny": no space left; free some space`: {
			Op: "put", Backend: "local", Key: "x\ny", Err: backend.ErrNoSpace, Hint: "free some space",
		},
	} {
		assert.Equal(t, want, err.Error())
		assert.NotContains(t, err.Error(), "\n", "one line")
	}
}

func TestErrorWrapsItsClass(t *testing.T) {
	cause := fmt.Errorf("412: %w", backend.ErrPrecondition)
	err := fmt.Errorf("copy: %w", &backend.Error{Op: "put", Err: cause})
	assert.ErrorIs(t, err, backend.ErrPrecondition)
	var carrier *backend.Error
	assert.ErrorAs(t, err, &carrier)
	assert.Equal(t, "put", carrier.Op)
}

// A missing bucket must never look like a missing object.
func TestStoreNotFoundIsNotAnAbsentObject(t *testing.T) {
	assert.NotErrorIs(t, backend.ErrStoreNotFound, fs.ErrNotExist)
	assert.NotErrorIs(t, backend.ErrUnavailable, fs.ErrNotExist)
}

func TestDefiniteAndRetryable(t *testing.T) {
	for _, c := range []struct {
		err                 error
		definite, retryable bool
	}{
		{nil, false, false},
		{fs.ErrNotExist, true, false},
		{fs.ErrExist, true, false},
		{fs.ErrPermission, true, false},
		{errors.ErrUnsupported, true, false},
		{backend.ErrPrecondition, true, false},
		{backend.ErrChecksum, true, true},
		{backend.ErrThrottled, true, true},
		{backend.ErrUnavailable, false, true},
		{backend.ErrStoreNotFound, true, false},
		{backend.ErrInvalidKey, true, false},
		{backend.ErrInvalidMetadata, true, false},
		{backend.ErrTooLarge, true, false},
		{backend.ErrNoSpace, true, false},
		{backend.ErrNotRegular, true, false},
		{io.ErrUnexpectedEOF, false, false},
		{context.Canceled, false, false},
		{context.DeadlineExceeded, false, false},
		{errors.New("anything else"), false, false},
		// The caller's context decides, whatever the store said last.
		{fmt.Errorf("%w: %w", backend.ErrUnavailable, context.Canceled), false, false},
		{fmt.Errorf("%w: %w", backend.ErrThrottled, context.DeadlineExceeded), true, false},
	} {
		for _, err := range []error{c.err, wrapped(c.err)} {
			assert.Equal(t, c.definite, backend.Definite(err), "definite: %v", err)
			assert.Equal(t, c.retryable, backend.Retryable(err), "retryable: %v", err)
		}
	}
}

func wrapped(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("attempt 3: %w", &backend.Error{Op: "put", Backend: "s3", Key: "k", Err: err})
}
