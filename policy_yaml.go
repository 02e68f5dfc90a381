package replication

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"go.yaml.in/yaml/v3"
)

// maxPolicyFile bounds a policy file, in bytes.
const maxPolicyFile = 4 << 20

// A policyFile is what a YAML file of backends and policies says; see
// WithPolicyFile.
type policyFile struct {
	backends map[string]namedBackend
	policies []Policy // in the order of the file; no two have one id
	// name is the file's, and lines holds where each policy begins, by id.
	name  string
	lines map[string]int
}

// place returns "file:line" of a policy, for messages.
func (f policyFile) place(id string) string { return fmt.Sprintf("%s:%d", f.name, f.lines[id]) }

// readPolicyFile reads and parses the file at path.
func readPolicyFile(path string) (policyFile, error) {
	f, err := os.Open(path)
	if err != nil {
		return policyFile{}, fmt.Errorf("policy file: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxPolicyFile+1))
	if err != nil {
		return policyFile{}, fmt.Errorf("policy file: %w", err)
	}
	return parsePolicyFile(data, filepath.ToSlash(path))
}

// parsePolicyFile parses a policy file, whose name stands in errors. It finds
// every fault of form, each with its line, policy and field, and quotes no
// setting; the error then wraps ErrInvalidPolicy. What the fields mean is for
// Policy.validate.
func parsePolicyFile(data []byte, name string) (policyFile, error) {
	out := policyFile{name: name, backends: map[string]namedBackend{}, lines: map[string]int{}}
	if len(data) > maxPolicyFile {
		return policyFile{}, fmt.Errorf("%s: %w: the file is larger than %d bytes", name, ErrInvalidPolicy, maxPolicyFile)
	}
	var document, next yaml.Node
	dec := yaml.NewDecoder(bytes.NewReader(data))
	switch err := dec.Decode(&document); {
	case err == io.EOF:
		return out, nil
	case err != nil:
		return policyFile{}, fmt.Errorf("%s: %w: %w", name, ErrInvalidPolicy, err)
	}
	switch err := dec.Decode(&next); {
	case err == nil:
		return policyFile{}, fmt.Errorf("%s:%d: %w: a second document begins; write one", name, next.Line, ErrInvalidPolicy)
	case err != io.EOF:
		return policyFile{}, fmt.Errorf("%s: %w: %w", name, ErrInvalidPolicy, err)
	}
	r := yamlReader{file: name}
	root := document.Content[0]
	if err := checkYAMLSize(root); err != nil {
		return policyFile{}, fmt.Errorf("%s: %w: %w", name, ErrInvalidPolicy, err)
	}
	if !yamlNull(root) {
		r.readFile(root, &out)
	}
	if len(r.faults) > 0 {
		return policyFile{}, errors.Join(r.faults...)
	}
	return out, nil
}

// MarshalPolicyYAML returns the text of a policy file that holds the policies,
// with their secrets unless the caller has redacted them (see
// [Replicator.Redacted]).
func MarshalPolicyYAML(policies ...Policy) ([]byte, error) {
	file := struct {
		Replication []yamlPolicy `yaml:"replication"`
	}{make([]yamlPolicy, len(policies))}
	for i, p := range policies {
		file.Replication[i] = yamlForm(p)
	}
	var out bytes.Buffer
	enc := yaml.NewEncoder(&out)
	enc.SetIndent(2)
	if err := errors.Join(enc.Encode(file), enc.Close()); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
