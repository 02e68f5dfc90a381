package backendtest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/objrepl/replication/backend"
)

var metadataChecks = []Check{
	metadataCheck("metadata-none", "no metadata", backend.Metadata{}),
	metadataCheck("metadata-content-type", "a content type", backend.Metadata{ContentType: "text/plain; charset=utf-8"}),
	metadataCheck("metadata-content-encoding", "a content encoding, the bytes being none of the store's business", backend.Metadata{ContentEncoding: "gzip"}),
	metadataCheck("metadata-content-language", "a content language", backend.Metadata{ContentLanguage: "de, en"}),
	metadataCheck("metadata-content-disposition", "a content disposition", backend.Metadata{ContentDisposition: `attachment; filename="a b.txt"`}),
	metadataCheck("metadata-cache-control", "a cache control", backend.Metadata{CacheControl: "private, max-age=60"}),
	metadataCheck("metadata-modtime", "a modification time to the nanosecond", backend.Metadata{ModTime: time.Unix(1_700_000_000, 123_456_789)}),
	metadataCheck("metadata-modtime-whole", "a modification time of whole seconds", backend.Metadata{ModTime: time.Unix(1_700_000_000, 0)}),
	metadataCheck("metadata-modtime-1970", "the modification time 0", backend.Metadata{ModTime: time.Unix(0, 0)}),
	metadataCheck("metadata-modtime-before-1970", "a modification time before 1970", backend.Metadata{ModTime: time.Unix(-1, 250_000_000)}),
	metadataCheck("metadata-user", "user metadata", user("color", "blue", "a-b", "1", "objrepl-op", "x.y:z")),
	metadataCheck("metadata-user-underscore", "user metadata whose names differ in - and _", user("a_b", "low", "a-b", "high")),
	metadataCheck("metadata-user-unicode", "user metadata with values beyond ASCII", user("greeting", "Grüße, 日本 😀")),
	metadataCheck("metadata-user-empty", "user metadata with an empty value", user("empty", "", "full", "x")),
	metadataCheck("metadata-user-spaces", "user metadata with spaces around the value", user("spaces", "  two before and after  ")),
	metadataCheck("metadata-user-control", "user metadata with control characters in the value", user("lines", "one\r\ntwo: 2\tthree")),
	metadataCheck("metadata-user-encoded", "user metadata that looks encoded already", user("mime", "=?UTF-8?B?w6k=?=", "percent", "%C3%A9", "plus", "a+b")),
	metadataCheck("metadata-all", "everything at once", backend.Metadata{
		ContentType: "application/json", ContentEncoding: "identity", ContentLanguage: "en",
		ContentDisposition: "inline", CacheControl: "no-cache",
		ModTime: time.Unix(1_234_567_890, 987_654_321), User: map[string]string{"one": "1", "two": "2"},
	}),
	{"metadata-case", "upper-case names come back in lower case, or are refused", checkMetadataCase},
	{"metadata-large", "a large object keeps metadata too", checkMetadataLarge},
	{"metadata-replaced", "overwriting replaces all metadata", checkMetadataReplaced},
	{"metadata-copied", "the caller's map and the store's are two", checkMetadataCopied},
	{"metadata-limit", "user metadata up to the limit is kept, beyond it refused", checkMetadataLimit},
	{"metadata-mtime-name", "the name that modification times are kept under is not the user's", checkMetadataModTimeName},
}

func user(pairs ...string) backend.Metadata {
	m := backend.Metadata{User: map[string]string{}}
	for i := 0; i < len(pairs); i += 2 {
		m.User[pairs[i]] = pairs[i+1]
	}
	return m
}

func metadataCheck(name, what string, m backend.Metadata) Check {
	return Check{name, what + " is kept exactly, or refused", func(ctx context.Context, e *env) error {
		_, err := e.keepsMetadata(ctx, e.key("object"), e.bytes(100), m)
		return err
	}}
}

// refusedMetadata reports whether a Put says that the store cannot keep this.
func refusedMetadata(err error) bool {
	return errors.Is(err, backend.ErrInvalidMetadata) || errors.Is(err, errors.ErrUnsupported)
}

// keepsMetadata writes an object with metadata and checks that it is kept, or
// else refused and nothing written.
func (e *env) keepsMetadata(ctx context.Context, key string, data []byte, m backend.Metadata) (kept bool, err error) {
	o, err := e.Put(ctx, key, backend.Bytes(data), backend.PutOptions{Metadata: m.Clone()})
	if refusedMetadata(err) {
		e.note("refused: %v", err)
		return false, e.wantAbsent(ctx, ruleWhole, key)
	}
	if err != nil {
		return false, ruleMetadata.broken("put with metadata %+v: got error %w, want success, ErrInvalidMetadata or ErrUnsupported", m, err)
	}
	if err := e.wantContent(ctx, ruleWhole, key, data, o.Tag); err != nil {
		return false, err
	}
	return true, e.wantMetadata(ctx, key, m)
}

// wantMetadata checks every answer that carries metadata.
func (e *env) wantMetadata(ctx context.Context, key string, want backend.Metadata) error {
	stat, err := e.stat(ctx, key)
	if err != nil {
		return err
	}
	opened, _, err := e.mustRead(ctx, key, backend.OpenOptions{Offset: 1, Length: 1})
	if err != nil {
		return err
	}
	listed, err := e.list(ctx, backend.ListOptions{Prefix: key, Until: key})
	if err != nil {
		return err
	}
	if stat.Metadata == nil {
		return ruleStatMetadata.broken("stat %q: got no metadata, want some", key)
	}
	if opened.Metadata == nil {
		return ruleOpenObject.broken("open %q: got no metadata, want what stat has", key)
	}
	answers := map[string]*backend.Metadata{"stat": stat.Metadata, "open": opened.Metadata}
	if len(listed) > 0 && listed[0].Metadata != nil {
		answers["list"] = listed[0].Metadata
	}
	for op, got := range answers {
		if d := metadataDifference(*got, want); d != "" {
			return ruleMetadata.broken("metadata in the answer to %s: %s", op, d)
		}
	}
	return nil
}

// metadataDifference describes in what two sets differ; empty if in nothing.
// Stores may give a content type to an object that was written without one.
func metadataDifference(got, want backend.Metadata) string {
	if want.ContentType == "" {
		got.ContentType = ""
	}
	for _, f := range []struct{ name, got, want string }{
		{"ContentType", got.ContentType, want.ContentType},
		{"ContentEncoding", got.ContentEncoding, want.ContentEncoding},
		{"ContentLanguage", got.ContentLanguage, want.ContentLanguage},
		{"ContentDisposition", got.ContentDisposition, want.ContentDisposition},
		{"CacheControl", got.CacheControl, want.CacheControl},
	} {
		if f.got != f.want {
			return fmt.Sprintf("got %s %q, want %q", f.name, f.got, f.want)
		}
	}
	// A store that keeps times by itself may show one where none was given.
	if !want.ModTime.IsZero() && !got.ModTime.Equal(want.ModTime) {
		return fmt.Sprintf("got ModTime %v, want %v", got.ModTime.UTC(), want.ModTime.UTC())
	}
	if len(got.User)+len(want.User) > 0 && !maps.Equal(got.User, want.User) {
		return fmt.Sprintf("got User %q, want %q", got.User, want.User)
	}
	return ""
}

func checkMetadataCase(ctx context.Context, e *env) error {
	key := e.key("object")
	_, err := e.Put(ctx, key, backend.Bytes([]byte("xx")), backend.PutOptions{Metadata: user("MixedCase", "Value")})
	if refusedMetadata(err) {
		e.note("refused: %v", err)
		return e.wantAbsent(ctx, ruleWhole, key)
	}
	if err != nil {
		return ruleMetadataName.broken("put with a name in mixed case: got error %w, want success or ErrInvalidMetadata", err)
	}
	if err := e.wantMetadata(ctx, key, user("mixedcase", "Value")); err != nil {
		return ruleMetadataName.broken("%w", err)
	}
	return nil
}

func checkMetadataLarge(ctx context.Context, e *env) error {
	m := user("color", "blue")
	m.ContentType, m.ModTime = "text/plain", time.Unix(1_700_000_000, 1000)
	_, err := e.keepsMetadata(ctx, e.key("large"), e.bytes(e.large()), m)
	return err
}

func checkMetadataReplaced(ctx context.Context, e *env) error {
	key, data := e.key("object"), e.bytes(100)
	first := user("old", "1", "both", "1")
	first.ContentType, first.CacheControl, first.ContentLanguage = "text/plain", "no-cache", "en"
	if kept, err := e.keepsMetadata(ctx, key, data, first); err != nil || !kept {
		return err
	}
	second := user("new", "2", "both", "2")
	second.ContentType = "text/html"
	for _, m := range []backend.Metadata{second, {}} {
		// Equal bytes, so that nothing but the metadata can be what changes.
		if _, err := e.putWith(ctx, key, data, backend.PutOptions{Metadata: m}); err != nil {
			return err
		}
		if err := e.wantMetadata(ctx, key, m); err != nil {
			return err
		}
	}
	return nil
}

func checkMetadataCopied(ctx context.Context, e *env) error {
	key, m := e.key("object"), user("color", "blue")
	_, err := e.Put(ctx, key, backend.Bytes([]byte("xx")), backend.PutOptions{Metadata: m})
	if refusedMetadata(err) {
		return e.skip("the store keeps no user metadata")
	}
	if err != nil {
		return err
	}
	m.User["color"] = "red"
	if err := e.wantMetadata(ctx, key, user("color", "blue")); err != nil {
		return ruleMetadata.broken("after the caller changed its map: %w", err)
	}
	stat, err := e.stat(ctx, key)
	if err != nil {
		return err
	}
	stat.Metadata.User["color"] = "green"
	if err := e.wantMetadata(ctx, key, user("color", "blue")); err != nil {
		return ruleMetadata.broken("after the caller changed an answer: %w", err)
	}
	return nil
}

func checkMetadataLimit(ctx context.Context, e *env) error {
	limit := e.Properties().MaxMetadata
	if limit == 0 {
		return e.skip("no limit is declared")
	}
	modified := backend.Metadata{ModTime: time.Unix(1_700_000_000, 123_456_789)}
	for name, m := range map[string]backend.Metadata{
		"one value": user("name", ""),
		"two":       user("one", "1", "two", ""),
		"a time":    modified,
	} {
		if m.User == nil {
			m.User = map[string]string{"name": ""}
		}
		fill := limit - m.UserSize()
		if fill <= 0 {
			continue
		}
		last := "name"
		if _, ok := m.User["two"]; ok {
			last = "two"
		}
		m.User[last] = strings.Repeat("v", fill)
		key := e.key(strings.ReplaceAll(name, " ", "-"))
		data := e.bytes(10)
		o, err := e.putWith(ctx, key, data, backend.PutOptions{Metadata: m})
		if err != nil {
			return ruleMaxMetadata.broken("put with metadata of %d bytes (%s), the limit declared: %w", m.UserSize(), name, err)
		}
		if err := e.wantMetadata(ctx, key, m); err != nil {
			return err
		}
		m = m.Clone()
		m.User[last] += "v"
		_, err = e.Put(ctx, key, backend.Bytes(e.bytes(10)), backend.PutOptions{Metadata: m})
		if err := ruleMaxMetadata.wantError(fmt.Sprintf("put with metadata of %d bytes (%s), one over the limit", m.UserSize(), name), err, backend.ErrInvalidMetadata); err != nil {
			return err
		}
		if err := e.wantContent(ctx, ruleWhole, key, data, o.Tag); err != nil {
			return err
		}
	}
	return nil
}

func checkMetadataModTimeName(ctx context.Context, e *env) error {
	key := e.key("object")
	_, err := e.Put(ctx, key, backend.Bytes([]byte("xx")), backend.PutOptions{Metadata: user(backend.ModTimeKey, "1700000000")})
	if refusedMetadata(err) {
		return e.wantAbsent(ctx, ruleWhole, key)
	}
	if err != nil {
		return ruleModTime.broken("put with user metadata %q: got error %w, want success or ErrInvalidMetadata", backend.ModTimeKey, err)
	}
	stat, err := e.stat(ctx, key)
	if err != nil {
		return err
	}
	if stat.Metadata == nil {
		return ruleStatMetadata.broken("stat %q: got no metadata, want some", key)
	}
	if value, ok := stat.Metadata.User[backend.ModTimeKey]; ok {
		return ruleModTime.broken("stat: got user metadata %q=%q, want none of that name", backend.ModTimeKey, value)
	}
	if !stat.Metadata.ModTime.Equal(time.Unix(1_700_000_000, 0)) {
		return ruleModTime.broken("stat of an object with user metadata %q: got ModTime %v, want that time, or the put refused", backend.ModTimeKey, stat.Metadata.ModTime)
	}
	return nil
}
