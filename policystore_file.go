package replication

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"time"
)

const (
	policiesVersion = 1
	// maxPoliciesFile bounds policies.json, in bytes.
	maxPoliciesFile = 64 << 20
)

// A policiesFile is the content of policies.json:
//
//	{"version": 1, "policies": [policy, ...]}
//
// with policies as in Policy.MarshalJSON but for check_interval_seconds. Fields
// that this version does not know are kept, so that a later one finds them
// again.
type policiesFile struct {
	policies []storedPolicy // in the order they were added
	extra    []jsonField    // unknown fields beside them
}

// A storedPolicy is a policy and the text it was read from, if any, which may
// hold fields that a Policy has not.
type storedPolicy struct {
	Policy
	raw json.RawMessage
}

func (f *policiesFile) find(id string) (int, error) {
	i := slices.IndexFunc(f.policies, func(p storedPolicy) bool { return p.ID == id })
	if i < 0 {
		ids := make([]string, len(f.policies))
		for i, p := range f.policies {
			ids[i] = p.ID
		}
		return -1, policyNotFound(id, ids)
	}
	return i, nil
}

// read returns what the file holds, and what fstat says of it, or nil if the
// file is too young to be recognised by that. A missing file holds no policies.
func (s *policyStore) read() (policiesFile, os.FileInfo, error) {
	fail := func(err error) (policiesFile, os.FileInfo, error) {
		return policiesFile{}, nil, fmt.Errorf("read %s: %w", s.path(), err)
	}
	// A FIFO in its place would block the open.
	if info, err := s.root.Stat(policiesName); err == nil && !info.Mode().IsRegular() {
		return fail(errors.New("not a regular file"))
	}
	f, err := s.root.Open(policiesName)
	if errors.Is(err, fs.ErrNotExist) {
		return policiesFile{}, nil, nil
	} else if err != nil {
		return fail(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fail(err)
	}
	data, err := io.ReadAll(io.LimitReader(f, maxPoliciesFile+1))
	if err != nil {
		return fail(err)
	}
	file, err := decodePolicies(data)
	var at *positionError
	if errors.As(err, &at) {
		return policiesFile{}, nil, fmt.Errorf("%s:%d:%d: damaged policies file, left as it is: %w; repair it, or restore it from a copy",
			s.path(), at.line, at.column, at.err)
	} else if err != nil {
		return fail(err)
	}
	if age := time.Since(info.ModTime()); age < policiesRacy {
		info = nil
	}
	return file, info, nil
}

// decodePolicies parses policies.json. What is damaged gives a positionError.
func decodePolicies(data []byte) (policiesFile, error) {
	if len(data) > maxPoliciesFile {
		return policiesFile{}, fmt.Errorf("the file is larger than %d bytes", maxPoliciesFile)
	}
	damaged := func(offset int, err error) (policiesFile, error) {
		return policiesFile{}, newPositionError(data, offset, err)
	}
	var all json.RawMessage
	if err := json.Unmarshal(data, &all); err != nil {
		offset := len(data)
		if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
			offset = int(syntax.Offset) - 1
		}
		return damaged(offset, err)
	}
	fields, err := jsonFields(data, '{')
	if err != nil {
		return damaged(0, err)
	}
	var file policiesFile
	var version, policies *jsonField
	for i, f := range fields {
		switch f.name {
		case "version":
			version = &fields[i]
		case "policies":
			policies = &fields[i]
		default:
			file.extra = append(file.extra, f)
		}
	}
	if version == nil || policies == nil {
		return damaged(0, errors.New(`"version" or "policies" is missing`))
	}
	// The version comes first: what follows may have another form in a later one.
	switch n, err := jsonWhole(version.raw); {
	case err != nil:
		return damaged(version.offset, fmt.Errorf("version: %w", err))
	case n > policiesVersion:
		return policiesFile{}, fmt.Errorf("written by a later version of this library (format %d, this one knows %d); upgrade", n, policiesVersion)
	case n != policiesVersion:
		return damaged(version.offset, fmt.Errorf("version: there is no %d", n))
	}
	elements, err := jsonFields(policies.raw, '[')
	if err != nil {
		return damaged(policies.offset, fmt.Errorf("policies: %w", err))
	}
	seen := make(map[string]bool, len(elements))
	for _, element := range elements {
		p, err := decodePolicy(element.raw, false)
		switch {
		case err != nil:
		case p.ID == "":
			err = errors.New("a policy has no id")
		case seen[p.ID]:
			err = fmt.Errorf("a second policy has the id %.300q", p.ID)
		}
		if err != nil {
			return damaged(policies.offset+element.offset, err)
		}
		seen[p.ID] = true
		file.policies = append(file.policies, storedPolicy{p.normalise(), element.raw})
	}
	return file, nil
}

// encode is the opposite of decodePolicies.
func (f *policiesFile) encode() ([]byte, error) {
	elements := make([]json.RawMessage, len(f.policies))
	for i, p := range f.policies {
		text, err := rawJSON(wireForm(p.Policy))
		if err == nil {
			elements[i], err = keepUnknown(p.raw, text, policyShape)
		}
		if err != nil {
			return nil, fmt.Errorf("policy %q: %w", p.ID, err)
		}
	}
	policies, err := rawJSON(elements)
	if err != nil {
		return nil, err
	}
	compact := joinFields(append([]jsonField{
		{name: "version", raw: json.RawMessage(fmt.Sprint(policiesVersion))},
		{name: "policies", raw: policies},
	}, f.extra...))
	var out bytes.Buffer
	if err := json.Indent(&out, compact, "", "  "); err != nil {
		return nil, err
	}
	out.WriteByte('\n')
	return out.Bytes(), nil
}

// A positionError is damage at a place of a file, counted from 1.
type positionError struct {
	line, column int
	err          error
}

func newPositionError(data []byte, offset int, err error) *positionError {
	before := data[:min(max(offset, 0), len(data))]
	return &positionError{
		line:   1 + bytes.Count(before, []byte("\n")),
		column: len(before) - bytes.LastIndexByte(before, '\n'),
		err:    err,
	}
}

func (e *positionError) Error() string { return fmt.Sprintf("%d:%d: %v", e.line, e.column, e.err) }
func (e *positionError) Unwrap() error { return e.err }
