package backend

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
)

// A Setting describes one setting of a driver.
type Setting struct {
	Name     string
	Required bool
	// Secret values are never shown; see Schema.Redact.
	Secret  bool
	Default string
	// Values, unless empty, are the only ones allowed.
	Values []string
	// Check, unless nil, reports why a value is wrong. It does no I/O.
	Check func(value string) error
	// Help is one line for a person.
	Help string
}

// A Schema is all settings of a driver, in the order help shows them.
type Schema []Setting

// Redacted stands where a secret is shown, and sent back stands for the secret
// that is stored.
const Redacted = "***"

// maxReference bounds the file that a file: reference may name.
const maxReference = 64 << 10

// Validate reports everything that is wrong with raw settings, without I/O:
// unknown names, missing ones, and values out of range. A value may be a
// reference, env:NAME or file:PATH, whose target is not looked at yet.
func (s Schema) Validate(raw map[string]string) error {
	var faults []error
	for _, name := range slices.Sorted(maps.Keys(raw)) {
		setting, ok := s.find(name)
		if !ok {
			faults = append(faults, fmt.Errorf("unknown setting %q; allowed are %s", name, s.names()))
			continue
		}
		if _, _, ref := reference(raw[name]); !ref && raw[name] != "" {
			faults = append(faults, setting.check(raw[name]))
		}
	}
	for _, setting := range s {
		if setting.Required && raw[setting.Name] == "" {
			faults = append(faults, fmt.Errorf("missing setting %q (%s)", setting.Name, setting.Help))
		}
	}
	return errors.Join(faults...)
}

// Resolve validates raw settings, follows references and fills in defaults.
// Errors name the setting and the reference, never a value that is secret.
func (s Schema) Resolve(raw map[string]string) (Settings, error) {
	if err := s.Validate(raw); err != nil {
		return nil, err
	}
	out := Settings{}
	var faults []error
	for _, setting := range s {
		value := raw[setting.Name]
		if kind, target, ref := reference(value); ref {
			resolved, err := follow(kind, target)
			if err == nil && resolved != "" {
				err = setting.check(resolved)
			}
			if err == nil && resolved == "" && setting.Required {
				err = errors.New("is empty")
			}
			if err != nil {
				faults = append(faults, fmt.Errorf("setting %q, from %s: %w", setting.Name, value, err))
				continue
			}
			value = resolved
		}
		if value == "" {
			value = setting.Default
		}
		if value != "" {
			out[setting.Name] = value
		}
	}
	return out, errors.Join(faults...)
}

// Redact returns a copy of raw settings that may be shown: secret values
// become Redacted, and so do those of unknown settings, whatever they hold.
// References are shown as they are, since they hold no secret themselves.
func (s Schema) Redact(raw map[string]string) map[string]string {
	if raw == nil {
		return nil
	}
	out := make(map[string]string, len(raw))
	for name, value := range raw {
		setting, known := s.find(name)
		_, _, ref := reference(value)
		if value != "" && !ref && (setting.Secret || !known) {
			value = Redacted
		}
		out[name] = value
	}
	return out
}

func (s Schema) find(name string) (Setting, bool) {
	for _, setting := range s {
		if setting.Name == name {
			return setting, true
		}
	}
	return Setting{}, false
}

func (s Schema) names() string {
	names := make([]string, len(s))
	for i, setting := range s {
		names[i] = setting.Name
	}
	return strings.Join(names, ", ")
}

// check keeps a secret out of its error by never quoting the value of one.
func (s Setting) check(value string) error {
	shown := fmt.Sprintf("%q", withoutUser(value))
	if s.Secret {
		shown = "(secret)"
	}
	if len(s.Values) > 0 && !slices.Contains(s.Values, value) {
		return fmt.Errorf("setting %q is %s; allowed are %s", s.Name, shown, strings.Join(s.Values, ", "))
	}
	if s.Check == nil {
		return nil
	}
	err := s.Check(value)
	if err != nil && s.Secret {
		// The error of a parser quotes what it could not parse.
		return fmt.Errorf("setting %q is malformed, expected: %s", s.Name, s.Help)
	}
	if err != nil {
		return fmt.Errorf("setting %q is %s: %w", s.Name, shown, err)
	}
	return nil
}

// withoutUser hides what a URL has before its host, which may be a password that
// stands in the wrong place.
func withoutUser(value string) string {
	at := strings.LastIndex(value, "@")
	if at < 0 || !strings.Contains(value[:at], ":") {
		return value
	}
	scheme, _, found := strings.Cut(value[:at], "://")
	if !found {
		return "***" + value[at:]
	}
	return scheme + "://***" + value[at:]
}

func reference(value string) (kind, target string, ok bool) {
	kind, target, ok = strings.Cut(value, ":")
	return kind, target, ok && (kind == "env" || kind == "file") && target != ""
}

func follow(kind, target string) (string, error) {
	if kind == "env" {
		value, ok := os.LookupEnv(target)
		if !ok {
			return "", errors.New("the environment variable is not set")
		}
		return value, nil
	}
	info, err := os.Stat(target)
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() || info.Size() > maxReference {
		return "", fmt.Errorf("not a regular file of at most %d bytes", maxReference)
	}
	data, err := os.ReadFile(target)
	// Editors and echo end a file with a newline that is not meant.
	return strings.TrimRight(string(data), "\r\n"), err
}
