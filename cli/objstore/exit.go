package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"unicode"

	"github.com/objrepl/replication"
	"github.com/objrepl/replication/backend"
)

// The exit codes, which scripts rely on.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitObjects     = 3 // the pass went through, some objects failed; or a verification found differences
	exitStopped     = 4 // the delete brake, or an empty source
	exitLocked      = 5
	exitInterrupted = 130 // what a shell reports for SIGINT
)

// A usageError is a command line that cannot be carried out as it is.
type usageError struct {
	err  error
	hint string
}

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

func usagef(hint, format string, args ...any) error {
	return &usageError{fmt.Errorf(format, args...), hint}
}

// A hinted error is one that a person can do something about.
type hinted struct {
	error
	hint string
}

func (e *hinted) Unwrap() error { return e.error }

// A reworded error says in other words what it is about.
type reworded struct {
	error
	text string
}

func (e *reworded) Error() string { return e.text }
func (e *reworded) Unwrap() error { return e.error }

// seeAlso is the hint at another command, with the flags that it needs to find
// what this one worked on.
func (a *app) seeAlso(command string) string {
	if a.stateDir != "" {
		command += " --state-dir=" + a.stateDir
	}
	if a.config != "" {
		command += " --config=" + a.config
	}
	return "see 'objstore " + command + "'"
}

// exitCode maps the end of a command to its exit code. Where several policies
// failed in several ways, the least specific failure wins, since it is the one
// that a script must not take for something expected.
func exitCode(ctx context.Context, err error) int {
	switch {
	case err == nil:
		return exitDone
	case interrupted(ctx):
		return exitInterrupted
	}
	codes := map[int]bool{}
	for _, e := range branches(err) {
		codes[classify(e)] = true
	}
	for _, code := range []int{exitUsage, exitFailed, exitLocked, exitStopped, exitObjects} {
		if codes[code] {
			return code
		}
	}
	return exitFailed
}

// classify maps one failure, which may belong to several classes: a pass that
// the brake stopped may have failed objects too, and the brake is what its
// operator has to decide about.
func classify(err error) int {
	var usage *usageError
	switch {
	case errors.As(err, &usage), errors.Is(err, replication.ErrInvalidPolicy):
		return exitUsage
	case errors.Is(err, replication.ErrLocked):
		return exitLocked
	case errors.Is(err, replication.ErrBrake), errors.Is(err, replication.ErrEmptySource):
		return exitStopped
	case errors.Is(err, replication.ErrObjectsFailed), errors.Is(err, replication.ErrDifferent):
		return exitObjects
	}
	return exitFailed
}

// A passesError joins the failures of several policies' passes, one each.
type passesError struct{ errs []error }

func (e *passesError) Error() string   { return errors.Join(e.errs...).Error() }
func (e *passesError) Unwrap() []error { return e.errs }

// branches takes apart what SyncAll joined and leaves every other error whole.
func branches(err error) []error {
	var passes *passesError
	if errors.As(err, &passes) {
		return passes.errs
	}
	return []error{err}
}

// asPasses marks the joined error of a SyncAll as one failure a policy.
func asPasses(err error) error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return &passesError{joined.Unwrap()}
	}
	return err
}

// describe renders an error as one line that ends in at most one hint.
func describe(err error, hints []hint) string {
	text := oneLine(err.Error())
	if h := hintFor(err, hints); h != "" {
		text += "; " + h
	}
	return text
}

// A hint is what a person can do about a class of errors.
type hint struct {
	class error
	text  string
}

func hintFor(err error, hints []hint) string {
	var usage *usageError
	if errors.As(err, &usage) && usage.hint != "" {
		return usage.hint
	}
	var advised *hinted
	if errors.As(err, &advised) {
		return advised.hint
	}
	var store *backend.Error
	if errors.As(err, &store) && store.Hint != "" {
		return "" // its text ends in the hint
	}
	for _, h := range hints {
		if errors.Is(err, h.class) {
			return h.text
		}
	}
	return ""
}

// hints returns what to say beside errors whose own text has no advice, or none
// that names a flag; most specific first.
func hints() []hint {
	return []hint{
		{replication.ErrBrake, "the flag is --force-deletes"},
		{replication.ErrEmptySource, "the flag is --force-deletes"},
		{backend.ErrStoreNotFound, "check the bucket, container or directory"},
		{fs.ErrPermission, "check the credentials and their permissions"},
		{backend.ErrUnavailable, "check the endpoint and the network"},
	}
}

// oneLine keeps joined errors, and control characters that a key may smuggle
// in, from breaking the line or the terminal.
func oneLine(s string) string {
	s = strings.ReplaceAll(strings.TrimRight(s, "\n"), "\n", "; ")
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return '\uFFFD'
		}
		return r
	}, s)
}
