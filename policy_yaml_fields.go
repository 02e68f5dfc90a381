package replication

import (
	"encoding"
	"errors"
	"fmt"
	"math"
	"strconv"

	"go.yaml.in/yaml/v3"
)

// A yamlField reads one field, whose place is at.
type yamlField func(n *yaml.Node, at yamlPlace)

// fields reads a mapping of which every name has to be known.
func (r *yamlReader) fields(n *yaml.Node, at yamlPlace, known map[string]yamlField) {
	for _, pair := range r.pairs(n, at) {
		if read, ok := known[pair.name]; ok {
			read(pair.value, at.below(pair.name))
		} else {
			r.fault(pair.key, at, "%v", unknownName(pair.name, known))
		}
	}
}

func (r *yamlReader) readFile(root *yaml.Node, out *policyFile) {
	r.fields(root, yamlPlace{}, map[string]yamlField{
		"backends": func(n *yaml.Node, at yamlPlace) {
			for _, pair := range r.pairs(n, at) {
				out.backends[pair.name] = r.readBackend(pair)
			}
		},
		"replication": func(n *yaml.Node, at yamlPlace) {
			for i, element := range r.elements(n, at) {
				r.readPolicy(element, i, out)
			}
		},
	})
}

func (r *yamlReader) readBackend(pair yamlPair) (out namedBackend) {
	at := yamlPlace{owner: fmt.Sprintf("backend %.80q", pair.name)}
	if pair.name == "" {
		r.fault(pair.key, at, "the name is empty")
	}
	r.fields(pair.value, at, map[string]yamlField{
		"driver":   r.textInto(&out.driver),
		"settings": r.settingsInto(&out.settings),
	})
	if out.driver == "" {
		r.fault(pair.key, at, "driver: is missing")
	}
	return out
}

func (r *yamlReader) readPolicy(n *yaml.Node, index int, out *policyFile) {
	p := Policy{Enabled: true}
	at := yamlPlace{owner: fmt.Sprintf("policy %d of the list", index+1)}
	if id := scalarAt(n, "id"); id != "" {
		at.owner = fmt.Sprintf("policy %.300q", id)
	}
	r.fields(n, at, map[string]yamlField{
		"id":               r.textInto(&p.ID),
		"source":           r.side(&p.SourceBackend, &p.SourcePrefix, &p.SourceSettings),
		"destination":      r.side(&p.DestinationBackend, &p.DestinationPrefix, &p.DestinationSettings),
		"check_interval":   r.intervalInto(&p),
		"replication_mode": r.enumInto(&p.Mode),
		"encryption":       r.encryptionInto(&p.Encryption),
		"include":          r.textsInto(&p.Include),
		"exclude":          r.textsInto(&p.Exclude),
		"deletes":          r.enumInto(&p.Deletes),
		"max_delete":       r.textInto(&p.MaxDelete),
		"trash_prefix":     r.textInto(&p.TrashPrefix),
		"foreign":          r.enumInto(&p.Foreign),
		"drift":            r.enumInto(&p.Drift),
		"object_tags":      r.boolInto(&p.ObjectTags),
		"storage_class":    r.classesInto(&p.StorageClass),
		"bandwidth":        func(n *yaml.Node, at yamlPlace) { p.Bandwidth = r.number(n, at, ParseSize) },
		"concurrency":      func(n *yaml.Node, at yamlPlace) { p.Concurrency = int(r.number(n, at, smallNumber)) },
		"enabled":          r.boolInto(&p.Enabled),
	})
	switch first, taken := out.lines[p.ID]; {
	case p.ID == "":
		r.fault(n, at, "id: is missing")
	case taken:
		r.fault(n, at, "id: a policy of this id stands in line %d already", first)
	default:
		out.lines[p.ID] = n.Line
		out.policies = append(out.policies, p)
	}
}

// side reads the source or the destination.
func (r *yamlReader) side(driver, prefix *string, settings *map[string]string) yamlField {
	return func(n *yaml.Node, at yamlPlace) {
		r.fields(n, at, map[string]yamlField{
			"backend":  r.textInto(driver),
			"prefix":   r.textInto(prefix),
			"settings": r.settingsInto(settings),
		})
	}
}

func (r *yamlReader) textInto(into *string) yamlField {
	return func(n *yaml.Node, at yamlPlace) { *into = r.text(n, at) }
}

func (r *yamlReader) boolInto(into *bool) yamlField {
	return func(n *yaml.Node, at yamlPlace) {
		if value, ok := r.boolean(n, at); ok {
			*into = value
		}
	}
}

func (r *yamlReader) textsInto(into *[]string) yamlField {
	return func(n *yaml.Node, at yamlPlace) {
		for _, element := range r.elements(n, at) {
			*into = append(*into, r.text(element, at))
		}
	}
}

func (r *yamlReader) settingsInto(into *map[string]string) yamlField {
	return func(n *yaml.Node, at yamlPlace) {
		for _, pair := range r.pairs(n, at) {
			if *into == nil {
				*into = map[string]string{}
			}
			(*into)[pair.name] = r.text(pair.value, at.below(pair.name))
		}
	}
}

// classesInto takes one class for all as a single value.
func (r *yamlReader) classesInto(into *map[string]string) yamlField {
	named := r.settingsInto(into)
	return func(n *yaml.Node, at yamlPlace) {
		if unalias(n).Kind != yaml.ScalarNode {
			named(n, at)
		} else if class := r.text(n, at); class != "" {
			*into = map[string]string{anyClass: class}
		}
	}
}

func (r *yamlReader) enumInto(into encoding.TextUnmarshaler) yamlField {
	return func(n *yaml.Node, at yamlPlace) {
		if text := r.text(n, at); text != "" {
			if err := into.UnmarshalText([]byte(text)); err != nil {
				r.fault(n, at, "%v", err)
			}
		}
	}
}

func (r *yamlReader) intervalInto(p *Policy) yamlField {
	return func(n *yaml.Node, at yamlPlace) {
		text := r.text(n, at)
		if text == "" {
			return
		}
		var err error
		p.CheckInterval, err = parseInterval(text)
		if _, number := strconv.ParseFloat(text, 64); err != nil && number == nil {
			err = errUnit
		}
		if err != nil {
			r.fault(n, at, "%v", err)
		}
	}
}

func (r *yamlReader) encryptionInto(into *Encryption) yamlField {
	layer := func(into *EncryptionLayer) yamlField {
		return func(n *yaml.Node, at yamlPlace) {
			r.fields(n, at, map[string]yamlField{
				"enabled":     r.boolInto(&into.Enabled),
				"provider":    r.textInto(&into.Provider),
				"default_key": r.textInto(&into.DefaultKey),
			})
		}
	}
	return func(n *yaml.Node, at yamlPlace) {
		r.fields(n, at, map[string]yamlField{
			"backend":     layer(&into.Backend),
			"source":      layer(&into.Source),
			"destination": layer(&into.Destination),
		})
	}
}

func smallNumber(text string) (int64, error) {
	n, err := wholeNumber(text)
	if err == nil && n > math.MaxInt32 {
		err = errors.New("is too large")
	}
	return n, err
}

// scalarAt returns the text under a name of a mapping, or "".
func scalarAt(n *yaml.Node, name string) string {
	n = unalias(n)
	if n.Kind != yaml.MappingNode {
		return ""
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if value := unalias(n.Content[i+1]); unalias(n.Content[i]).Value == name && value.Kind == yaml.ScalarNode {
			return value.Value
		}
	}
	return ""
}
