package main

import (
	"errors"
	"maps"
	"slices"
	"strings"
)

// A settingsFlag collects repeated k=v flags. An error never quotes the value,
// which may be a secret.
type settingsFlag map[string]string

func (f *settingsFlag) Type() string { return "NAME=VALUE" }

// String shows names only: pflag prints it in help and errors.
func (f *settingsFlag) String() string {
	return strings.Join(slices.Sorted(maps.Keys(*f)), ",")
}

func (f *settingsFlag) Set(s string) error {
	name, value, ok := strings.Cut(s, "=")
	if !ok || name == "" {
		return errSetting
	}
	if *f == nil {
		*f = settingsFlag{}
	}
	(*f)[name] = value
	return nil
}

var errSetting = errors.New("must be NAME=VALUE")
