package backendtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/objrepl/replication/backend"
)

var acrossChecks = []Check{
	{"copy-across", "a copy from another store of the service has the bytes and the metadata of that store's object", checkAcross},
	{"copy-across-from-match", "a copy from another store is of the version that FromMatch names, or none", checkAcrossFromMatch},
	{"copy-across-from-stamp", "a copy from another store is of the version that FromStamp names, or none", checkAcrossFromStamp},
	{"copy-across-parts", "a part is filled with a range of the version that is named, or not", checkAcrossParts},
	{"checksum", "objects with the same Checksum and size have the same bytes; Stat and List agree on it", checkChecksum},
}

// An across is what a check of copies between stores works with: another store of
// the service, or this one again.
type across struct {
	*env
	source backend.Backend
	copier backend.Copier
	from   []string // keys written there
}

// across opens the other store. The caller calls end.
func (e *env) across(ctx context.Context) (*across, error) {
	a := &across{env: e, source: e.inner}
	if e.opts.Other != nil {
		other, err := e.opts.Other(ctx)
		if err != nil {
			return nil, fmt.Errorf("open the other store: %w", err)
		}
		a.source = other
	}
	a.copier = backend.CopierBetween(a.source, e.inner)
	if a.copier != nil {
		return a, nil
	}
	a.end()
	if e.opts.Other != nil {
		return nil, ruleAcross.broken("CopierFrom the other store: got nil, want a Copier")
	}
	return nil, e.skip("the backend is no CrossCopier")
}

// end removes what was written to the other store.
func (a *across) end() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	for _, key := range a.from {
		_ = a.source.Delete(ctx, key, backend.DeleteOptions{})
	}
	if a.opts.Other != nil {
		_ = a.source.Close()
	}
}

// put writes to the other store and returns what it then says of the object.
func (a *across) put(ctx context.Context, key string, data []byte, m backend.Metadata) (backend.Object, error) {
	a.from = append(a.from, key)
	if _, err := a.source.Put(ctx, key, backend.Bytes(data), backend.PutOptions{Metadata: m}); err != nil {
		return backend.Object{}, fmt.Errorf("put %q into the other store: %w", key, err)
	}
	return a.source.Stat(ctx, key)
}

// copy copies from the other store, and notes what it writes.
func (a *across) copy(ctx context.Context, from, to string, opts backend.CopyOptions) (backend.Object, error) {
	a.mu.Lock()
	a.written[to] = true
	a.mu.Unlock()
	o, err := a.copier.Copy(ctx, from, to, opts)
	if err == nil && (o.Key != to || o.Tag == "") {
		return o, ruleAcross.broken("copy to %q: got key %q, tag %q; want that key and a tag", to, o.Key, o.Tag)
	}
	return o, err
}

func checkAcross(ctx context.Context, e *env) error {
	a, err := e.across(ctx)
	if err != nil {
		return err
	}
	defer a.end()
	from, to, data := e.key("from & so on"), e.key("to + on?"), e.bytes(1000)
	m := backend.Metadata{ContentType: "text/x-test", CacheControl: "no-cache", User: map[string]string{"one": "1", backend.ReservedPrefix + "two": "2"}}
	original, err := a.put(ctx, from, data, m)
	if err != nil {
		return err
	}
	if e.opts.Other != nil {
		// What this store has under the same key is another object.
		if _, err := e.put(ctx, from, e.bytes(1000)); err != nil {
			return err
		}
	}
	copied, err := a.copy(ctx, from, to, backend.CopyOptions{FromMatch: original.Tag, FromStamp: original.Stamp})
	if err != nil {
		return ruleAcross.broken("copy %q to %q: got error %w, want success", from, to, err)
	}
	if err := e.wantContent(ctx, ruleAcross, to, data, copied.Tag); err != nil {
		return err
	}
	there, err := e.stat(ctx, to)
	if err != nil {
		return err
	}
	if d := metadataDifference(*there.Metadata, *original.Metadata); d != "" {
		return ruleAcross.broken("metadata of the copy: %s", d)
	}
	if there.Checksum != "" && original.Checksum != "" && there.Checksum != original.Checksum {
		e.note("a copy has another Checksum than its original")
	}
	return e.wantListed(ctx, there)
}

func checkAcrossFromMatch(ctx context.Context, e *env) error {
	a, err := e.across(ctx)
	if err != nil {
		return err
	}
	defer a.end()
	from, to, data := e.key("from"), e.key("to"), e.bytes(100)
	stale, err := a.put(ctx, from, e.bytes(100), backend.Metadata{})
	if err != nil {
		return err
	}
	current, err := a.put(ctx, from, data, backend.Metadata{})
	if err != nil {
		return err
	}
	_, err = a.copy(ctx, from, to, backend.CopyOptions{FromMatch: stale.Tag, FromStamp: stale.Stamp})
	if err := ruleAcross.wantError("copy of a stale version", err, backend.ErrPrecondition); err != nil {
		return err
	}
	_, err = a.copy(ctx, e.key("absent"), to, backend.CopyOptions{FromMatch: current.Tag, FromStamp: current.Stamp})
	if err := ruleAcross.wantError("copy of an absent object", err, fs.ErrNotExist, backend.ErrPrecondition); err != nil {
		return err
	}
	if err := e.wantAbsent(ctx, ruleAcross, to); err != nil {
		return err
	}
	o, err := a.copy(ctx, from, to, backend.CopyOptions{FromMatch: current.Tag, FromStamp: current.Stamp})
	if err != nil {
		return ruleAcross.broken("copy of the current version: got error %w, want success", err)
	}
	return e.wantContent(ctx, ruleAcross, to, data, o.Tag)
}

func checkAcrossFromStamp(ctx context.Context, e *env) error {
	a, err := e.across(ctx)
	if err != nil {
		return err
	}
	defer a.end()
	from, to := e.key("from"), e.key("to")
	o, err := a.put(ctx, from, e.bytes(100), backend.Metadata{})
	if err != nil {
		return err
	}
	_, err = a.copy(ctx, from, to, backend.CopyOptions{FromMatch: o.Tag, FromStamp: o.Stamp + "7"})
	return errors.Join(
		ruleAcross.wantError("copy of a version under another stamp", err, backend.ErrPrecondition),
		e.wantAbsent(ctx, ruleAcross, to),
	)
}

func checkAcrossParts(ctx context.Context, e *env) error {
	a, err := e.across(ctx)
	if err != nil {
		return err
	}
	defer a.end()
	copier, ok := a.copier.(backend.PartCopier)
	if !ok {
		return e.skip("the backend copies no ranges into parts")
	}
	from, to := e.key("from"), e.key("to")
	u, err := e.uploadOf(ctx, to, backend.PartsOptions{Copied: true, Metadata: backend.Metadata{ContentType: "text/x-test"}})
	if err != nil {
		return err
	}
	defer u.end(ctx)
	data := e.bytes(int(u.size) + 1000)
	stale, err := a.put(ctx, from, e.bytes(len(data)), backend.Metadata{})
	if err != nil {
		return err
	}
	current, err := a.put(ctx, from, data, backend.Metadata{})
	if err != nil {
		return err
	}
	part := func(key string, tag backend.Tag, number int) (backend.Part, error) {
		r := backend.CopyRange{Match: tag, Length: u.size}
		if number > 1 {
			r.Offset, r.Length = u.size, int64(len(data))-u.size
		}
		return copier.CopyPart(ctx, key, r, u.PartUpload, number)
	}
	_, err = part(from, stale.Tag, 1)
	if err := ruleAcrossPart.wantError("a part of a stale version", err, backend.ErrPrecondition); err != nil {
		return err
	}
	_, err = part(e.key("absent"), current.Tag, 1)
	if err := ruleAcrossPart.wantError("a part of an absent object", err, backend.ErrPrecondition); err != nil {
		return err
	}
	parts := make([]backend.Part, 2)
	for _, n := range []int{2, 1} {
		if parts[n-1], err = part(from, current.Tag, n); err != nil {
			return ruleAcrossPart.broken("part %d of the current version: got error %w, want success", n, err)
		}
	}
	if listed, err := u.Parts(ctx); err != nil || len(listed) != 2 || listed[0] != parts[0] || listed[1] != parts[1] {
		return ruleAcrossPart.broken("the parts of the upload: got %v, error %v; want %v", listed, err, parts)
	}
	if _, err := u.complete(ctx, parts, backend.Condition{}, data); err != nil {
		return err
	}
	_, err = part(from, current.Tag, 1)
	return ruleAcrossPart.wantError("a part of an upload that is complete", err, fs.ErrNotExist)
}

func checkChecksum(ctx context.Context, e *env) error {
	one, two := e.bytes(100), e.bytes(100)
	if bytes.Equal(one, two) {
		return errors.New("random bytes are equal")
	}
	keys := []string{e.key("a"), e.key("b"), e.key("c")}
	sums := make([]string, len(keys))
	for i, data := range [][]byte{one, two, one} {
		if _, err := e.put(ctx, keys[i], data); err != nil {
			return err
		}
		o, err := e.stat(ctx, keys[i])
		if err != nil {
			return err
		}
		listed, err := e.list(ctx, backend.ListOptions{Prefix: keys[i]})
		if err != nil {
			return err
		}
		if sums[i] = o.Checksum; len(listed) != 1 || listed[0].Checksum != sums[i] {
			return ruleChecksum.broken("checksum of %q: got %q of Stat and another of List, want the same", keys[i], sums[i])
		}
	}
	if sums[0] != "" && sums[0] == sums[1] {
		return ruleChecksum.broken("checksums of other bytes: got %q twice, want others", sums[0])
	}
	if sums[0] != sums[2] {
		e.note("objects with the same bytes have other checksums")
	}
	return nil
}
