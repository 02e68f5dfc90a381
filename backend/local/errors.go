package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"github.com/objrepl/replication/backend"
	"github.com/objrepl/replication/internal/durable"
)

// classified is a failure whose class is known where it arises. It does not
// wrap what the system said, so that the class is the only thing errors.Is
// finds: a missing directory must not read as a missing object.
type classified struct {
	class error
	cause string
	hint  string
}

func (e *classified) Error() string { return e.cause + ": " + e.class.Error() }
func (e *classified) Unwrap() error { return e.class }

// bodyError is a failure to read what Put was given. It says nothing of this
// store and passes as it is.
type bodyError struct{ err error }

func (e *bodyError) Error() string { return "read body: " + e.err.Error() }
func (e *bodyError) Unwrap() error { return e.err }

// errAbsent is the definite answer that there is no such object.
var errAbsent = &classified{class: fs.ErrNotExist, cause: "no such object"}

// fail is the one place where the system's errors become those of the
// contract. What it does not know keeps its own identity and so an unknown
// outcome, except that no raw "not found" or "exists" gets through: those are
// definite answers, and only the code that looked for an object gives them.
func (s *store) fail(op, key string, err error) error {
	if err == nil {
		return nil
	}
	out := &backend.Error{Op: op, Backend: "local", Key: key, Err: err}
	var known *classified
	var body *bodyError
	switch {
	case errors.As(err, &known):
		out.Hint = known.hint
	case errors.As(err, &body), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
	case errors.Is(err, durable.ErrNotSynced):
		out.Err = &classified{class: backend.ErrUnavailable, cause: err.Error()}
		out.Hint = "the file is in place, but a power cut could still undo it; check the disk"
	default:
		out.Hint, out.Err = s.classify(err)
	}
	return out
}

func (s *store) classify(err error) (string, error) {
	is := func(targets ...error) bool {
		for _, target := range targets {
			if errors.Is(err, target) {
				return true
			}
		}
		return false
	}
	as := func(class error) error { return &classified{class: class, cause: err.Error()} }
	switch {
	case is(syscall.ENOSPC, syscall.EDQUOT) || diskFull(err):
		return "free space or raise the quota on the file system of " + s.path, as(backend.ErrNoSpace)
	case is(syscall.EROFS):
		return "the file system of " + s.path + " is mounted read-only", as(fs.ErrPermission)
	case is(fs.ErrPermission):
		return "give this user access to it below " + s.path, as(fs.ErrPermission)
	case is(syscall.EFBIG):
		return "the file system or a limit of this process allows no file of this size", as(backend.ErrTooLarge)
	case is(syscall.ENAMETOOLONG, syscall.EILSEQ):
		return "the file system of " + s.path + " cannot hold this name", as(backend.ErrInvalidKey)
	case is(syscall.EMFILE, syscall.ENFILE):
		return "raise the limit of open files (ulimit -n)", as(backend.ErrUnavailable)
	case is(syscall.EIO, syscall.ESTALE, syscall.ENOTCONN, syscall.ENODEV, syscall.ENXIO, syscall.ETIMEDOUT, syscall.EHOSTDOWN):
		return "check the disk or the mount of " + s.path, as(backend.ErrUnavailable)
	case is(syscall.ENOMEM, syscall.ENOLCK, syscall.EBUSY, syscall.EAGAIN, syscall.EINTR, fs.ErrClosed):
		return "", as(backend.ErrUnavailable)
	case is(fs.ErrNotExist, fs.ErrExist, syscall.ENOTDIR, syscall.EISDIR, syscall.ENOTEMPTY, syscall.ELOOP):
		return "the directory tree kept changing under this call; try again", as(backend.ErrUnavailable)
	}
	return "", err
}

// missing reports whether err says that a name, or a directory on the way to
// it, is not there. ELOOP and ENOTDIR are a link or a file where a directory
// would be: no object can be below either.
func missing(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.ELOOP)
}

func isErrno(err error) bool {
	var errno syscall.Errno
	var known *classified
	return errors.As(err, &errno) || errors.As(err, &known)
}

func precondition(format string, args ...any) error {
	return &classified{class: backend.ErrPrecondition, cause: fmt.Sprintf(format, args...)}
}

func invalidKey(hint, format string, args ...any) error {
	return &classified{class: backend.ErrInvalidKey, cause: fmt.Sprintf(format, args...), hint: hint}
}
