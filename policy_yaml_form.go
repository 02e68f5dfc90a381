package replication

import (
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// yamlPolicy is the form of a Policy in a policy file.
type yamlPolicy struct {
	ID            yamlText              `yaml:"id"`
	Source        yamlSide              `yaml:"source"`
	Destination   yamlSide              `yaml:"destination"`
	CheckInterval string                `yaml:"check_interval,omitempty"`
	Enabled       bool                  `yaml:"enabled"`
	Mode          Mode                  `yaml:"replication_mode"`
	Encryption    yamlEncryption        `yaml:"encryption,omitempty"`
	Include       []yamlText            `yaml:"include,omitempty"`
	Exclude       []yamlText            `yaml:"exclude,omitempty"`
	Deletes       DeleteMode            `yaml:"deletes"`
	MaxDelete     yamlText              `yaml:"max_delete,omitempty"`
	TrashPrefix   yamlText              `yaml:"trash_prefix,omitempty"`
	Foreign       ConflictMode          `yaml:"foreign"`
	Drift         ConflictMode          `yaml:"drift"`
	ObjectTags    bool                  `yaml:"object_tags,omitempty"`
	StorageClass  map[yamlText]yamlText `yaml:"storage_class,omitempty"`
	Bandwidth     string                `yaml:"bandwidth,omitempty"`
	Concurrency   int                   `yaml:"concurrency,omitempty"`
}

type yamlSide struct {
	Backend  yamlText              `yaml:"backend"`
	Settings map[yamlText]yamlText `yaml:"settings,omitempty"`
	Prefix   yamlText              `yaml:"prefix,omitempty"`
}

type yamlEncryption struct {
	Backend     yamlLayer `yaml:"backend,omitempty"`
	Source      yamlLayer `yaml:"source,omitempty"`
	Destination yamlLayer `yaml:"destination,omitempty"`
}

type yamlLayer struct {
	Enabled    bool     `yaml:"enabled"`
	Provider   yamlText `yaml:"provider,omitempty"`
	DefaultKey yamlText `yaml:"default_key,omitempty"`
}

// A yamlText is written on one line, in quotes where it holds control
// characters. The library would write text of several lines as a block, and
// cannot read all of those back: "\t\n" for one.
type yamlText string

func (t yamlText) MarshalYAML() (any, error) {
	if !strings.ContainsFunc(string(t), func(r rune) bool { return r < ' ' || r == '\x7f' }) {
		return string(t), nil
	}
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Style: yaml.DoubleQuotedStyle, Value: string(t)}, nil
}

func yamlForm(p Policy) yamlPolicy {
	layer := func(l EncryptionLayer) yamlLayer {
		return yamlLayer{l.Enabled, yamlText(l.Provider), yamlText(l.DefaultKey)}
	}
	out := yamlPolicy{
		ID:          yamlText(p.ID),
		Source:      yamlSide{yamlText(p.SourceBackend), yamlSettings(p.SourceSettings), yamlText(p.SourcePrefix)},
		Destination: yamlSide{yamlText(p.DestinationBackend), yamlSettings(p.DestinationSettings), yamlText(p.DestinationPrefix)},
		Enabled:     p.Enabled, Mode: p.Mode,
		Encryption: yamlEncryption{layer(p.Encryption.Backend), layer(p.Encryption.Source), layer(p.Encryption.Destination)},
		Include:    yamlTexts(p.Include), Exclude: yamlTexts(p.Exclude),
		Deletes: p.Deletes, MaxDelete: yamlText(p.MaxDelete), TrashPrefix: yamlText(p.TrashPrefix), Foreign: p.Foreign, Drift: p.Drift,
		ObjectTags: p.ObjectTags, StorageClass: yamlSettings(p.StorageClass),
		Concurrency: p.Concurrency,
	}
	if p.CheckInterval != 0 {
		out.CheckInterval = shortDuration(p.CheckInterval)
	}
	if p.Bandwidth != 0 {
		out.Bandwidth = formatSize(p.Bandwidth)
	}
	return out
}

func yamlSettings(settings map[string]string) map[yamlText]yamlText {
	out := make(map[yamlText]yamlText, len(settings))
	for name, value := range settings {
		out[yamlText(name)] = yamlText(value)
	}
	return out
}

func yamlTexts(texts []string) []yamlText {
	out := make([]yamlText, len(texts))
	for i, text := range texts {
		out[i] = yamlText(text)
	}
	return out
}

// shortDuration writes 5m for what time.Duration calls 5m0s.
func shortDuration(d time.Duration) string {
	text := d.String()
	for _, zero := range []struct{ long, short string }{{"m0s", "m"}, {"h0m", "h"}} {
		if n := len(text) - len(zero.long); n > 0 && text[n:] == zero.long {
			text = text[:n] + zero.short
		}
	}
	return text
}
