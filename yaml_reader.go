package replication

import (
	"errors"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// A yamlReader walks the nodes of a policy file. It works on nodes, not on
// Go values, because the library's own errors name Go types and quote what
// stands there, which may be a secret.
type yamlReader struct {
	file   string
	faults []error
}

// A yamlPlace is where the reader is: for messages.
type yamlPlace struct {
	owner string // `policy "dr"`, `backend "archive"`, or empty
	field string
}

func (at yamlPlace) below(name string) yamlPlace {
	if at.field != "" {
		name = at.field + "." + name
	}
	return yamlPlace{at.owner, name}
}

// A yamlFault is an ErrInvalidPolicy whose text is "file:line: owner: field: ...".
type yamlFault struct{ text string }

func (e *yamlFault) Error() string        { return e.text }
func (e *yamlFault) Is(target error) bool { return target == ErrInvalidPolicy }

func (r *yamlReader) fault(n *yaml.Node, at yamlPlace, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	for _, part := range []string{at.field, at.owner} {
		if part != "" {
			text = part + ": " + text
		}
	}
	r.faults = append(r.faults, &yamlFault{fmt.Sprintf("%s:%d: %s", r.file, n.Line, text)})
}

// maxYAMLNodes bounds the values in a file, each alias counted as all that it
// stands for: the library bounds that only where it fills Go values.
const maxYAMLNodes = 1 << 20

// checkYAMLSize also makes sure that no alias contains itself, so that the
// reader may follow them.
func checkYAMLSize(root *yaml.Node) error {
	const under = -1
	sizes := map[*yaml.Node]int{}
	var size func(n *yaml.Node) (int, error)
	size = func(n *yaml.Node) (int, error) {
		switch known := sizes[n]; {
		case known == under:
			return 0, fmt.Errorf("line %d: the anchor %q contains itself", n.Line, n.Anchor)
		case known > 0:
			return known, nil
		}
		sizes[n] = under
		total := 1
		children := n.Content
		if n.Kind == yaml.AliasNode {
			children = []*yaml.Node{n.Alias}
		}
		for _, child := range children {
			k, err := size(child)
			if err != nil {
				return 0, err
			}
			if total += k; total > maxYAMLNodes {
				return 0, fmt.Errorf("the file holds more than %d values when its aliases are followed", maxYAMLNodes)
			}
		}
		sizes[n] = total
		return total, nil
	}
	_, err := size(root)
	return err
}

// A yamlPair is one entry of a mapping, with aliases followed.
type yamlPair struct {
	name       string
	key, value *yaml.Node
}

// pairs returns the entries of a mapping, those of its merge keys (<<) last
// and only where the mapping has none of the name.
func (r *yamlReader) pairs(n *yaml.Node, at yamlPlace) []yamlPair {
	n = unalias(n)
	if n.Kind != yaml.MappingNode {
		if !yamlNull(n) {
			r.fault(n, at, "must be a mapping of names to values")
		}
		return nil
	}
	var out, merged []yamlPair
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := unalias(n.Content[i]), unalias(n.Content[i+1])
		switch {
		case key.Tag == "!!merge":
			merged = append(merged, r.merge(value, at)...)
		case key.Kind != yaml.ScalarNode:
			r.fault(key, at, "a name must be plain text")
		case seen[key.Value]:
			r.fault(key, at, "%.80q is given twice", key.Value)
		default:
			seen[key.Value] = true
			out = append(out, yamlPair{key.Value, key, value})
		}
	}
	for _, pair := range merged {
		if !seen[pair.name] {
			seen[pair.name] = true
			out = append(out, pair)
		}
	}
	return out
}

func (r *yamlReader) merge(n *yaml.Node, at yamlPlace) []yamlPair {
	if n.Kind != yaml.SequenceNode {
		return r.pairs(n, at)
	}
	var out []yamlPair
	for _, element := range n.Content {
		out = append(out, r.pairs(element, at)...)
	}
	return out
}

// elements returns the elements of a list, with aliases followed.
func (r *yamlReader) elements(n *yaml.Node, at yamlPlace) []*yaml.Node {
	n = unalias(n)
	if n.Kind != yaml.SequenceNode {
		if !yamlNull(n) {
			r.fault(n, at, "must be a list")
		}
		return nil
	}
	out := make([]*yaml.Node, len(n.Content))
	for i, element := range n.Content {
		out[i] = unalias(element)
	}
	return out
}

// text returns a scalar as it is written: the number 9000 and the boolean true
// are the texts "9000" and "true", and nothing is the empty text.
func (r *yamlReader) text(n *yaml.Node, at yamlPlace) string {
	switch n = unalias(n); {
	case n.Kind != yaml.ScalarNode:
		r.fault(n, at, "must be a single value")
	case yamlNull(n):
	case strings.HasPrefix(n.ShortTag(), "!!") && n.ShortTag() != "!!binary" && n.ShortTag() != "!!merge":
		return n.Value
	default:
		r.fault(n, at, "the tag %.40q is not understood", n.ShortTag())
	}
	return ""
}

func (r *yamlReader) boolean(n *yaml.Node, at yamlPlace) (value, ok bool) {
	n = unalias(n)
	switch {
	case yamlNull(n):
		return false, false
	case n.ShortTag() == "!!bool" && strings.EqualFold(n.Value, "true"):
		return true, true
	case n.ShortTag() == "!!bool" && strings.EqualFold(n.Value, "false"):
		return false, true
	}
	r.fault(n, at, "must be true or false")
	return false, false
}

// number reads a whole number that is not negative, or one that parse, if it
// is not nil, understands.
func (r *yamlReader) number(n *yaml.Node, at yamlPlace, parse func(string) (int64, error)) int64 {
	text := r.text(n, at)
	if text == "" {
		return 0
	}
	value, err := parse(text)
	if err != nil {
		r.fault(unalias(n), at, "%v", err)
	}
	return value
}

func yamlNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

// unalias returns what an alias stands for.
func unalias(n *yaml.Node) *yaml.Node {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}

var errUnit = errors.New(`has no unit; write "30s" or "5m"`)
