package replication

import (
	"bytes"
	"encoding/json"
)

// A jsonShape is the known fields of an object; a field that is not itself an
// object has a nil shape.
type jsonShape map[string]jsonShape

var policyShape = func() jsonShape {
	layer, encryption, policy := jsonShape{}, jsonShape{}, jsonShape{}
	for name := range layerFields {
		layer[name] = nil
	}
	for name := range encryptionFields {
		encryption[name] = layer
	}
	for name := range policyFields {
		policy[name] = nil
	}
	policy["encryption"] = encryption
	return policy
}()

// keepUnknown returns the object text with the fields of the object old that
// shape does not know, within known objects too. An old that is nil or no
// object has none.
func keepUnknown(old, text json.RawMessage, shape jsonShape) (json.RawMessage, error) {
	oldFields, err := jsonFields(old, '{')
	if err != nil {
		return text, nil
	}
	fields, err := jsonFields(text, '{')
	if err != nil {
		return nil, err
	}
	for _, f := range oldFields {
		inner, known := shape[f.name]
		switch i := indexField(fields, f.name); {
		case !known:
			fields = append(fields, f)
		case inner != nil && i >= 0:
			if fields[i].raw, err = keepUnknown(f.raw, fields[i].raw, inner); err != nil {
				return nil, err
			}
		case inner != nil:
			// The object is gone or empty, and so left out; it stays for the
			// sake of what is unknown in it, if anything is.
			rest, err := keepUnknown(f.raw, json.RawMessage("{}"), inner)
			if err != nil {
				return nil, err
			}
			if string(rest) != "{}" {
				fields = append(fields, jsonField{name: f.name, raw: rest})
			}
		}
	}
	return joinFields(fields), nil
}

func indexField(fields []jsonField, name string) int {
	for i, f := range fields {
		if f.name == name {
			return i
		}
	}
	return -1
}

// joinFields is the opposite of jsonFields for an object.
func joinFields(fields []jsonField) json.RawMessage {
	out := []byte{'{'}
	for i, f := range fields {
		if i > 0 {
			out = append(out, ',')
		}
		name, _ := rawJSON(f.name) // a string always has a form
		out = append(append(append(out, name...), ':'), f.raw...)
	}
	return append(out, '}')
}

// rawJSON is json.Marshal without the escapes for HTML, which make a file
// harder to read.
func rawJSON(v any) (json.RawMessage, error) {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), err
}
