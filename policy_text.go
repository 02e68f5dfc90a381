package replication

import (
	"fmt"
	"slices"
	"strings"
)

// The names of the enumerations, in the order of their constants. They stand
// in JSON, in YAML and in flags, and so never change.
var (
	modeNames     = []string{"transparent", "opaque"}
	deleteNames   = []string{"propagate", "keep"}
	conflictNames = []string{"report", "overwrite"}
)

// String returns "transparent" or "opaque".
func (m Mode) String() string { return enumString("Mode", modeNames, int(m)) }

// MarshalText returns what String does; it fails for an undefined Mode.
func (m Mode) MarshalText() ([]byte, error) { return enumText("replication mode", modeNames, int(m)) }

// UnmarshalText accepts what MarshalText returns and nothing else.
func (m *Mode) UnmarshalText(text []byte) error {
	return enumParse(m, "replication mode", modeNames, text)
}

// String returns "propagate" or "keep".
func (m DeleteMode) String() string { return enumString("DeleteMode", deleteNames, int(m)) }

// MarshalText returns what String does; it fails for an undefined DeleteMode.
func (m DeleteMode) MarshalText() ([]byte, error) {
	return enumText("delete mode", deleteNames, int(m))
}

// UnmarshalText accepts what MarshalText returns and nothing else.
func (m *DeleteMode) UnmarshalText(text []byte) error {
	return enumParse(m, "delete mode", deleteNames, text)
}

// String returns "report" or "overwrite".
func (m ConflictMode) String() string { return enumString("ConflictMode", conflictNames, int(m)) }

// MarshalText returns what String does; it fails for an undefined ConflictMode.
func (m ConflictMode) MarshalText() ([]byte, error) {
	return enumText("conflict mode", conflictNames, int(m))
}

// UnmarshalText accepts what MarshalText returns and nothing else.
func (m *ConflictMode) UnmarshalText(text []byte) error {
	return enumParse(m, "conflict mode", conflictNames, text)
}

func enumString(goName string, names []string, value int) string {
	if value < 0 || value >= len(names) {
		return fmt.Sprintf("%s(%d)", goName, value)
	}
	return names[value]
}

func enumText(what string, names []string, value int) ([]byte, error) {
	if value < 0 || value >= len(names) {
		return nil, enumUnknown(what, names, fmt.Sprint(value))
	}
	return []byte(names[value]), nil
}

func enumParse[E ~int](into *E, what string, names []string, text []byte) error {
	i := slices.Index(names, string(text))
	if i < 0 {
		return enumUnknown(what, names, fmt.Sprintf("%.40q", text))
	}
	*into = E(i)
	return nil
}

func enumUnknown(what string, names []string, shown string) error {
	return fmt.Errorf("unknown %s %s; allowed are %s", what, shown, strings.Join(names, ", "))
}
