package replication

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
)

// A jsonField is one member of a JSON object, or one element of an array.
type jsonField struct {
	name   string // empty in an array
	raw    json.RawMessage
	offset int // of raw in the text that was read
}

func (f jsonField) null() bool { return string(f.raw) == "null" }

// jsonFields splits a JSON object into its members or an array into its
// elements, in order; open says which, "{" or "[". Names are matched exactly,
// unlike in encoding/json, and one that occurs twice is an error, since readers
// differ on which of the two counts.
func jsonFields(data []byte, open json.Delim) ([]jsonField, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	if token, err := dec.Token(); err != nil {
		return nil, jsonSyntax(err)
	} else if token != open {
		return nil, wantKind(map[json.Delim]string{'{': "an object", '[': "a list"}[open], data)
	}
	var fields []jsonField
	seen := map[string]bool{}
	for dec.More() {
		var f jsonField
		if open == '{' {
			token, err := dec.Token()
			if err != nil {
				return nil, jsonSyntax(err)
			}
			f.name, _ = token.(string)
			if seen[f.name] {
				return nil, fmt.Errorf("the field %.80q is given twice", f.name)
			}
			seen[f.name] = true
		}
		if err := dec.Decode(&f.raw); err != nil {
			return nil, jsonSyntax(err)
		}
		f.offset = int(dec.InputOffset()) - len(f.raw)
		fields = append(fields, f)
	}
	if _, err := dec.Token(); err != nil {
		return nil, jsonSyntax(err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, errors.New("more text follows the end of the JSON value")
	}
	return fields, nil
}

func jsonSyntax(err error) error {
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("not JSON: %w", err)
}

// wantKind never quotes the value, which may be a secret.
func wantKind(want string, raw json.RawMessage) error {
	kind := "a number"
	switch raw = bytes.TrimLeft(raw, " \t\r\n"); {
	case len(raw) == 0 || raw[0] == 'n':
		kind = "null"
	case raw[0] == '"':
		kind = "a string"
	case raw[0] == '{':
		kind = "an object"
	case raw[0] == '[':
		kind = "a list"
	case raw[0] == 't' || raw[0] == 'f':
		kind = "a boolean"
	}
	return fmt.Errorf("must be %s, not %s", want, kind)
}

func jsonString(raw json.RawMessage) (string, error) {
	var s string
	if raw[0] != '"' {
		return "", wantKind("a string", raw)
	}
	return s, json.Unmarshal(raw, &s)
}

func jsonBool(raw json.RawMessage) (bool, error) {
	if raw[0] != 't' && raw[0] != 'f' {
		return false, wantKind("true or false", raw)
	}
	return raw[0] == 't', nil
}

// jsonWhole reads a number that is whole and not negative. 3e2 and 300.0 are
// whole too: some languages have no other numbers.
func jsonWhole(raw json.RawMessage) (int64, error) {
	if raw[0] != '-' && (raw[0] < '0' || raw[0] > '9') {
		return 0, wantKind("a whole number", raw)
	}
	return wholeNumber(string(raw))
}

func wholeNumber(text string) (int64, error) {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		if n < 0 {
			return 0, errors.New("is negative")
		}
		return n, nil
	}
	value, err := strconv.ParseFloat(text, 64)
	switch {
	case err == nil && value < 0, strings.HasPrefix(text, "-"):
		return 0, errors.New("is negative")
	case err != nil && !errors.Is(err, strconv.ErrRange):
		return 0, errors.New("must be a whole number")
	case err != nil || value >= math.MaxInt64:
		return 0, errors.New("is too large")
	case value != math.Trunc(value):
		return 0, errors.New("must be a whole number, not a fraction")
	}
	return int64(value), nil
}

func jsonStrings(raw json.RawMessage) ([]string, error) {
	elements, err := jsonFields(raw, '[')
	if err != nil {
		return nil, err
	}
	out := make([]string, len(elements))
	for i, e := range elements {
		if out[i], err = jsonString(e.raw); err != nil {
			return nil, fmt.Errorf("element %d %w", i, err)
		}
	}
	return out, nil
}

func jsonStringMap(raw json.RawMessage) (map[string]string, error) {
	fields, err := jsonFields(raw, '{')
	if err != nil {
		return nil, err
	}
	out := make(map[string]string, len(fields))
	var faults []error
	for _, f := range fields {
		if out[f.name], err = jsonString(f.raw); err != nil {
			faults = append(faults, fmt.Errorf("setting %.80q %w", f.name, err))
		}
	}
	return out, errors.Join(faults...)
}

// unknownName says that a name is not among those known, and which it may be
// meant to be.
func unknownName[V any](name string, known map[string]V) error {
	names := slices.Sorted(maps.Keys(known))
	if near := nearest(name, names); near != "" {
		return fmt.Errorf("unknown field %.80q; did you mean %q?", name, near)
	}
	return fmt.Errorf("unknown field %.80q; allowed are %s", name, strings.Join(names, ", "))
}
