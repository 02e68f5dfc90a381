package replication

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/objrepl/replication/backend"
)

// reservedID is the id of the sums that SyncAll returns.
const reservedID = "all"

// maxPrefix is the longest key that any of the stores takes, in bytes.
const maxPrefix = 1024

// validate reports everything that is wrong with p at once, as an
// ErrInvalidPolicy that names each field as JSON does. It does no I/O, and
// quotes no secret.
//
// resolve finds a driver's schema, or that of a named backend together with
// the settings that stand under the policy's own; names lists what it knows.
func (p Policy) validate(resolve func(name string) (backend.Schema, map[string]string, bool), names []string) error {
	var f faults
	f.add("id", checkID(p.ID))
	for _, side := range []struct {
		name, driver, prefix string
		settings             map[string]string
	}{
		{"source", p.SourceBackend, p.SourcePrefix, p.SourceSettings},
		{"destination", p.DestinationBackend, p.DestinationPrefix, p.DestinationSettings},
	} {
		if schema, base, ok := resolve(side.driver); ok {
			f.add(side.name+"_settings", checkSettings(schema, base, side.settings))
		} else {
			f.add(side.name+"_backend", unknownBackend(side.driver, names))
		}
		f.add(side.name+"_prefix", checkPrefix(side.prefix))
	}
	if strings.HasPrefix(p.DestinationPrefix, "/") && p.DestinationPrefix != "/" {
		f.addf("destination_prefix", `begins with a slash, which stands for no prefix only on its own; write %.80q`, strings.TrimLeft(p.DestinationPrefix, "/"))
	}
	f.add("trash_prefix", p.checkTrashPrefix())
	f.add("include", checkGlobs(p.Include))
	f.add("exclude", checkGlobs(p.Exclude))
	f.add("check_interval", checkInterval(p.CheckInterval))
	f.add("replication_mode", textError(p.Mode.MarshalText()))
	f.add("encryption.backend", p.Encryption.Backend.check())
	f.add("encryption.source", p.Encryption.Source.check())
	f.add("encryption.destination", p.Encryption.Destination.check())
	f.add("deletes", textError(p.Deletes.MarshalText()))
	_, err := parseBrake(p.MaxDelete)
	f.add("max_delete", err)
	f.add("foreign", textError(p.Foreign.MarshalText()))
	f.add("drift", textError(p.Drift.MarshalText()))
	f.add("storage_class", checkClasses(p.StorageClass))
	if p.Bandwidth < 0 {
		f.addf("bandwidth", "%d is negative; 0 is no bound", p.Bandwidth)
	}
	if p.Concurrency < 0 || p.Concurrency > maxConcurrency {
		f.addf("concurrency", "%d is not within 0 to %d", p.Concurrency, maxConcurrency)
	}
	return f.of(p.ID)
}

func checkID(id string) error {
	switch {
	case id == "":
		return errors.New("is empty")
	case id == reservedID:
		return fmt.Errorf("%q is reserved for the sums of all policies", id)
	case len(id) > maxPolicyID:
		return fmt.Errorf("%d bytes are more than %d", len(id), maxPolicyID)
	case !printable(id):
		return errors.New("holds characters that are not printable, or not UTF-8")
	case strings.TrimSpace(id) != id:
		return errors.New("begins or ends with a space")
	}
	return nil
}

// checkSettings also refuses what JSON could not give back as it was.
func checkSettings(schema backend.Schema, base, own map[string]string) error {
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(own)) {
		if !utf8.ValidString(name) || !utf8.ValidString(own[name]) {
			errs = append(errs, fmt.Errorf("setting %.80q is not UTF-8", name))
		}
	}
	merged := maps.Clone(base)
	if merged == nil {
		merged = map[string]string{}
	}
	maps.Copy(merged, own)
	return errors.Join(append(errs, schema.Validate(merged))...)
}

func unknownBackend(name string, names []string) error {
	known := "known are " + strings.Join(names, ", ")
	if len(names) == 0 {
		known = "none is known"
	}
	if name == "" {
		return errors.New("is empty; " + known)
	}
	if near := nearest(name, names); near != "" {
		return fmt.Errorf("unknown backend %.80q; did you mean %q? %s", name, near, known)
	}
	return fmt.Errorf("unknown backend %.80q; %s", name, known)
}

func checkPrefix(prefix string) error {
	switch {
	case len(prefix) > maxPrefix:
		return fmt.Errorf("%d bytes are more than %d", len(prefix), maxPrefix)
	case !utf8.ValidString(prefix):
		return errors.New("is not UTF-8")
	case strings.ContainsFunc(prefix, unicode.IsControl):
		return errors.New("holds control characters")
	}
	segments := strings.Split(prefix, "/")
	// What follows the last slash is only the beginning of a name: ".con".
	for _, segment := range segments[:len(segments)-1] {
		if segment == "." || segment == ".." {
			return fmt.Errorf("%.80q has a segment %q, which no store keeps as it is", prefix, segment)
		}
	}
	return nil
}

func checkInterval(d time.Duration) error {
	switch {
	case d < 0:
		return fmt.Errorf("%v is negative", d)
	case d > 0 && d < time.Second:
		return fmt.Errorf("%v is less than a second; 0 takes the replicator's own", d)
	}
	return nil
}

// check does not ask whether the provider or the key exists. A key's name is
// not quoted: people put keys where names belong.
func (l EncryptionLayer) check() error {
	var errs []error
	if l.Enabled && l.Provider == "" && l.DefaultKey == "" {
		errs = append(errs, errors.New("is enabled without a default_key"))
	}
	if !printable(l.Provider) || len(l.Provider) > maxPolicyID {
		errs = append(errs, fmt.Errorf("the provider is longer than %d bytes or not printable", maxPolicyID))
	}
	if !printable(l.DefaultKey) || len(l.DefaultKey) > maxPolicyID {
		errs = append(errs, fmt.Errorf("the default_key is longer than %d bytes or not printable", maxPolicyID))
	}
	return errors.Join(errs...)
}

// checkClasses leaves it to the stores which classes there are.
func checkClasses(classes map[string]string) error {
	var errs []error
	for _, from := range slices.Sorted(maps.Keys(classes)) {
		to := classes[from]
		switch {
		case from == "" || to == "":
			errs = append(errs, fmt.Errorf("%.80q: %.80q has an empty class", from, to))
		case !printable(from) || !printable(to) || len(from)+len(to) > maxPolicyID:
			errs = append(errs, fmt.Errorf("%.80q: %.80q is longer than %d bytes or not printable", from, to, maxPolicyID))
		case to == anyClass:
			errs = append(errs, fmt.Errorf(`%.80q: "*" stands for any class of the source; name the one the copy is to have`, from))
		}
	}
	return errors.Join(errs...)
}

func printable(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}

func textError(_ []byte, err error) error { return err }
