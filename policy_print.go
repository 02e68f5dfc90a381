package replication

import (
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
)

// Format implements [fmt.Formatter]. Every verb and flag prints the same one
// line: which settings a policy has, and of none of them the value. That
// covers pointers, slices, maps and exported struct fields that hold a Policy;
// package fmt calls no method of what stands in an unexported field, and so
// shows everything there.
func (p Policy) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, p.summary()) }

// String returns what Format prints.
func (p Policy) String() string { return p.summary() }

// GoString returns what Format prints, not Go syntax.
func (p Policy) GoString() string { return p.summary() }

// LogValue implements [slog.LogValuer] with the names of the settings and none
// of their values. A Policy within another value, such as a slice, is safe in
// a [slog.TextHandler] but not in a [slog.JSONHandler], which calls MarshalJSON.
func (p Policy) LogValue() slog.Value {
	side := func(name, driver, prefix string, settings map[string]string) slog.Attr {
		return slog.Group(name,
			slog.String("backend", driver),
			slog.String("prefix", prefix),
			slog.String("settings", settingNames(settings)))
	}
	return slog.GroupValue(
		slog.String("id", p.ID),
		side("source", p.SourceBackend, p.SourcePrefix, p.SourceSettings),
		side("destination", p.DestinationBackend, p.DestinationPrefix, p.DestinationSettings),
		slog.String("replication_mode", p.Mode.String()),
		slog.String("encryption", p.Encryption.enabledLayers()),
		slog.Bool("enabled", p.Enabled),
	)
}

func (p Policy) summary() string {
	var b strings.Builder
	fmt.Fprintf(&b, "policy %q: %s[%s] %q -> %s[%s] %q, %s", p.ID,
		p.SourceBackend, settingNames(p.SourceSettings), p.SourcePrefix,
		p.DestinationBackend, settingNames(p.DestinationSettings), p.DestinationPrefix, p.Mode)
	if !p.Enabled {
		b.WriteString(", disabled")
	}
	if p.CheckInterval != 0 {
		fmt.Fprintf(&b, ", every %v", p.CheckInterval)
	}
	if layers := p.Encryption.enabledLayers(); layers != "" {
		fmt.Fprintf(&b, ", encrypted [%s]", layers)
	}
	if len(p.Include) > 0 {
		fmt.Fprintf(&b, ", include %q", p.Include)
	}
	if len(p.Exclude) > 0 {
		fmt.Fprintf(&b, ", exclude %q", p.Exclude)
	}
	fmt.Fprintf(&b, ", deletes %v, foreign %v, drift %v", p.Deletes, p.Foreign, p.Drift)
	if p.MaxDelete != "" {
		fmt.Fprintf(&b, ", max delete %q", p.MaxDelete)
	}
	if p.TrashPrefix != "" {
		fmt.Fprintf(&b, ", trash %q", p.TrashPrefix)
	}
	if p.ObjectTags {
		b.WriteString(", object tags")
	}
	if len(p.StorageClass) > 0 {
		fmt.Fprintf(&b, ", storage class %q", p.StorageClass)
	}
	if p.Bandwidth != 0 {
		fmt.Fprintf(&b, ", bandwidth %s", formatSize(p.Bandwidth))
	}
	if p.Concurrency != 0 {
		fmt.Fprintf(&b, ", concurrency %d", p.Concurrency)
	}
	return b.String()
}

// enabledLayers names the layers only: a key's name may say more than a log
// should hold.
func (e Encryption) enabledLayers() string {
	var names []string
	for _, layer := range []struct {
		name string
		EncryptionLayer
	}{{"backend", e.Backend}, {"source", e.Source}, {"destination", e.Destination}} {
		if layer.Enabled {
			names = append(names, layer.name)
		}
	}
	return strings.Join(names, " ")
}

func settingNames(settings map[string]string) string {
	return strings.Join(slices.Sorted(maps.Keys(settings)), " ")
}
