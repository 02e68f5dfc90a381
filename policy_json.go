package replication

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"
)

// wirePolicy is the form of a Policy in answers and in the policies file.
type wirePolicy struct {
	ID                  string            `json:"id"`
	SourceBackend       string            `json:"source_backend"`
	SourceSettings      map[string]string `json:"source_settings"`
	SourcePrefix        string            `json:"source_prefix"`
	DestinationBackend  string            `json:"destination_backend"`
	DestinationSettings map[string]string `json:"destination_settings"`
	DestinationPrefix   string            `json:"destination_prefix"`
	Include             []string          `json:"include,omitempty"`
	Exclude             []string          `json:"exclude,omitempty"`
	// CheckInterval is in nanoseconds. The whole seconds beside it are for
	// clients that read no other form, and nil in the policies file.
	CheckInterval        int64             `json:"check_interval"`
	CheckIntervalSeconds *int64            `json:"check_interval_seconds,omitempty"`
	Enabled              bool              `json:"enabled"`
	Mode                 Mode              `json:"replication_mode"`
	Encryption           Encryption        `json:"encryption,omitzero"`
	Deletes              DeleteMode        `json:"deletes"`
	MaxDelete            string            `json:"max_delete,omitempty"`
	TrashPrefix          string            `json:"trash_prefix,omitempty"`
	Foreign              ConflictMode      `json:"foreign"`
	Drift                ConflictMode      `json:"drift"`
	ObjectTags           bool              `json:"object_tags,omitempty"`
	StorageClass         map[string]string `json:"storage_class,omitempty"`
	Bandwidth            int64             `json:"bandwidth,omitempty"`
	Concurrency          int               `json:"concurrency,omitempty"`
}

func wireForm(p Policy) wirePolicy {
	settings := func(m map[string]string) map[string]string {
		if m == nil {
			return map[string]string{} // null is a surprise to clients
		}
		return m
	}
	return wirePolicy{
		ID:            p.ID,
		SourceBackend: p.SourceBackend, SourceSettings: settings(p.SourceSettings), SourcePrefix: p.SourcePrefix,
		DestinationBackend: p.DestinationBackend, DestinationSettings: settings(p.DestinationSettings), DestinationPrefix: p.DestinationPrefix,
		Include: p.Include, Exclude: p.Exclude,
		CheckInterval: int64(p.CheckInterval), Enabled: p.Enabled,
		Mode: p.Mode, Encryption: p.Encryption,
		Deletes: p.Deletes, MaxDelete: p.MaxDelete, TrashPrefix: p.TrashPrefix, Foreign: p.Foreign, Drift: p.Drift,
		ObjectTags: p.ObjectTags, StorageClass: p.StorageClass,
		Bandwidth: p.Bandwidth, Concurrency: p.Concurrency,
	}
}

// MarshalJSON writes the form that the REST transport answers, with every
// secret in it; see [Replicator.Redacted]. check_interval is in nanoseconds,
// and check_interval_seconds the same, cut to whole seconds.
func (p Policy) MarshalJSON() ([]byte, error) {
	w := wireForm(p)
	seconds := int64(p.CheckInterval / time.Second)
	w.CheckIntervalSeconds = &seconds
	return json.Marshal(w)
}

// UnmarshalJSON reads what MarshalJSON writes and what REST clients send: the
// interval may be a number of nanoseconds or a text such as "5m" in
// check_interval, or stand in check_interval_seconds; bandwidth may be a text
// such as "50M"; without "enabled" the policy is enabled; last_sync_time and
// unknown fields are ignored. It replaces all of *p or, failing, nothing. The
// error wraps ErrInvalidPolicy, lists every fault by its field and quotes no
// setting.
func (p *Policy) UnmarshalJSON(data []byte) error {
	if string(bytes.TrimSpace(data)) == "null" {
		return nil // as package json asks
	}
	q, err := decodePolicy(data, false)
	if err == nil {
		*p = q
	}
	return err
}

// ParsePolicy reads one policy in JSON that a person wrote. It is
// [Policy.UnmarshalJSON], but an unknown field is an error that suggests the
// name that was probably meant.
func ParsePolicy(data []byte) (Policy, error) { return decodePolicy(data, true) }

func decodePolicy(data []byte, strict bool) (Policy, error) {
	fields, err := jsonFields(data, '{')
	if err != nil {
		return Policy{}, fmt.Errorf("%w: %w", ErrInvalidPolicy, err)
	}
	d := policyDecoder{Policy: Policy{Enabled: true}, strict: strict}
	for _, f := range fields {
		read, known := policyFields[f.name]
		switch {
		case !known && strict:
			d.faults = append(d.faults, unknownName(f.name, policyFields))
		case known && !f.null():
			d.faults.add(f.name, read(&d, f.raw))
		}
	}
	d.settleInterval()
	if err := d.faults.of(d.ID); err != nil {
		return Policy{}, err
	}
	return d.Policy, nil
}

// A policyDecoder is a policy while its fields are read.
type policyDecoder struct {
	Policy
	strict  bool
	nanos   *int64 // check_interval, if given
	seconds *int64 // check_interval_seconds, if given
	faults  faults
}

var errInterval = errors.New("is longer than 292 years")

func (d *policyDecoder) settleInterval() {
	switch {
	case d.nanos != nil:
		d.CheckInterval = time.Duration(*d.nanos)
		if d.seconds != nil && *d.seconds != *d.nanos/int64(time.Second) {
			d.faults.addf("check_interval", "%v differs from check_interval_seconds, %d; give one of them", d.CheckInterval, *d.seconds)
		}
	case d.seconds != nil && *d.seconds > math.MaxInt64/int64(time.Second):
		d.faults.add("check_interval_seconds", errInterval)
	case d.seconds != nil:
		d.CheckInterval = time.Duration(*d.seconds) * time.Second
	}
}

func parseInterval(text string) (time.Duration, error) {
	interval, err := time.ParseDuration(text)
	switch {
	case err != nil:
		return 0, fmt.Errorf(`%.40q is not a duration; write a number with a unit, such as "30s" or "5m"`, text)
	case interval < 0:
		return 0, errors.New("is negative")
	}
	return interval, nil
}

func jsonInterval(raw json.RawMessage) (int64, error) {
	if raw[0] != '"' {
		return jsonWhole(raw)
	}
	text, err := jsonString(raw)
	if err != nil {
		return 0, err
	}
	interval, err := parseInterval(text)
	return int64(interval), err
}

func jsonSize(raw json.RawMessage) (int64, error) {
	if raw[0] != '"' {
		return jsonWhole(raw)
	}
	text, err := jsonString(raw)
	if err != nil {
		return 0, err
	}
	return ParseSize(text)
}

// jsonClasses takes one class for all as a text.
func jsonClasses(raw json.RawMessage) (map[string]string, error) {
	if raw[0] != '"' {
		return jsonStringMap(raw)
	}
	class, err := jsonString(raw)
	if err != nil || class == "" {
		return nil, err
	}
	return map[string]string{anyClass: class}, nil
}

func jsonInt(raw json.RawMessage) (int, error) {
	n, err := jsonWhole(raw)
	if err == nil && n > math.MaxInt32 {
		err = errors.New("is too large")
	}
	return int(n), err
}
