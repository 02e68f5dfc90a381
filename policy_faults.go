package replication

import (
	"errors"
	"fmt"
	"strings"
)

// policyFaults is everything that is wrong with one policy. It is an
// ErrInvalidPolicy and each of its faults, on one line.
type policyFaults struct {
	id     string
	faults []error
}

func (e *policyFaults) Error() string {
	texts := make([]string, len(e.faults))
	for i, fault := range e.faults {
		texts[i] = fault.Error()
	}
	return fmt.Sprintf("policy %.300q: %s", e.id, strings.Join(texts, "; "))
}

func (e *policyFaults) Unwrap() []error { return append([]error{ErrInvalidPolicy}, e.faults...) }

// faults collects what is wrong with the fields of a policy.
type faults []error

// add puts the field's name before err, and before each error of an
// errors.Join, whose text would take several lines.
func (f *faults) add(field string, err error) {
	if err == nil {
		return
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok && err.Error() == errors.Join(joined.Unwrap()...).Error() {
		for _, e := range joined.Unwrap() {
			f.add(field, e)
		}
		return
	}
	*f = append(*f, fmt.Errorf("%s: %w", field, err))
}

func (f *faults) addf(field, format string, args ...any) {
	f.add(field, fmt.Errorf(format, args...))
}

// of returns the faults as those of the policy, or nil if there are none.
func (f faults) of(id string) error {
	if len(f) == 0 {
		return nil
	}
	return &policyFaults{id, f}
}
