package backendtest

import (
	"context"
	"errors"
	"io/fs"
	"strings"

	"github.com/objrepl/replication/backend"
)

var propertyChecks = []Check{
	{"properties", "what is declared makes sense and does not change", checkProperties},
	{"empty-key", "the empty key is refused everywhere", checkEmptyKey},
}

func checkProperties(_ context.Context, e *env) error {
	p, again := e.Properties(), e.Properties()
	switch {
	case p.Location != again.Location || p.Ordered != again.Ordered || p.StartAfter != again.StartAfter ||
		p.Varies != again.Varies || p.Put != again.Put || p.Delete != again.Delete || p.Complete != again.Complete || p.Parts != again.Parts || p.MaxPut != again.MaxPut ||
		p.BulkDelete != again.BulkDelete || p.MaxBulkDelete != again.MaxBulkDelete || p.Copy != again.Copy || p.MaxCopy != again.MaxCopy ||
		p.UnknownSize != again.UnknownSize || p.MaxMetadata != again.MaxMetadata || p.ListsSpecial != again.ListsSpecial:
		return ruleProperties.broken("properties: got two different answers, want one")
	case p.MaxPut < 0 || p.MaxMetadata < 0:
		return ruleDeclared.broken("got MaxPut %d, MaxMetadata %d; want 0 or a limit", p.MaxPut, p.MaxMetadata)
	case p.Parts.Min < 0 || p.Parts.Count < 0 || p.Parts.Max < 0 || p.Parts.Max > 0 && p.Parts.Max < p.Parts.Min:
		return ruleDeclared.broken("got parts within %+v; want limits that a part can keep to", p.Parts)
	case p.StartAfter && !p.Ordered:
		return ruleDeclared.broken("got StartAfter without Ordered; want an order to start in")
	case p.Varies && p.Location == "":
		return ruleDeclared.broken("got Varies without a Location; want one, to keep the server's answers under")
	case p.Delete.IfAbsent, p.BulkDelete.IfAbsent:
		return ruleDeclared.broken("got IfAbsent of a deletion; want false, since there is nothing to delete then")
	case p.MaxBulkDelete < 0 || p.MaxCopy < 0:
		return ruleDeclared.broken("got MaxBulkDelete %d, MaxCopy %d; want 0 or a limit", p.MaxBulkDelete, p.MaxCopy)
	case p.Put.Local && !p.Put.IfAbsent && !p.Put.IfMatch, p.Delete.Local && !p.Delete.IfMatch:
		return ruleDeclared.broken("got Local without a condition to qualify")
	}
	if !p.Ordered {
		e.note("the listing is not ordered: the engine refuses this store")
	}
	if p.CheckKey == nil {
		return nil
	}
	for _, key := range []string{"", "a", "a/b", strings.Repeat("x", 5000), "\x00", "\xff"} {
		if err := p.CheckKey(key); err != nil && !errors.Is(err, backend.ErrInvalidKey) {
			return ruleKeyRefused.broken("CheckKey(%.20q): got error %q, want one that wraps ErrInvalidKey", key, err)
		}
	}
	for _, key := range []string{e.key("a"), e.key("a/b.txt")} {
		if err := p.CheckKey(key); err != nil {
			return ruleKey.broken("CheckKey(%q): got error %q, want nil for a plain key", key, err)
		}
	}
	return nil
}

// An empty key is greater than no After, so no listing could yield it; and in
// a request it would name the bucket itself.
func checkEmptyKey(ctx context.Context, e *env) error {
	if check := e.Properties().CheckKey; check != nil {
		if err := ruleKeyRefused.wantError(`CheckKey("")`, check(""), backend.ErrInvalidKey); err != nil {
			return err
		}
	}
	_, stat := e.Stat(ctx, "")
	_, _, open := e.read(ctx, "", backend.OpenOptions{})
	if err := errors.Join(
		ruleKeyRefused.wantError(`stat ""`, stat, backend.ErrInvalidKey, fs.ErrNotExist),
		ruleKeyRefused.wantError(`open ""`, open, backend.ErrInvalidKey, fs.ErrNotExist),
	); err != nil {
		return err // where reading gets through, writing could do harm
	}
	_, put := e.inner.Put(ctx, "", backend.Bytes([]byte("x")), backend.PutOptions{})
	return ruleKeyRefused.wantError(`put ""`, put, backend.ErrInvalidKey)
}
