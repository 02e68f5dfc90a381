package ledger

import "context"

// Reread returns the ledger anew for a reader that came upon damage, and
// stores nothing. Whoever reads beside a writer meets segments that a commit
// has replaced as missing ones: then the ledger is returned as it is now. Where
// it still names the segments that err blames, it is returned without them, as
// Drop would leave it.
func (l *Ledger) Reread(ctx context.Context, err error) (*Ledger, error) {
	names := map[string]bool{}
	collectDamage(err, names)
	if len(names) == 0 {
		return nil, err
	}
	now, openErr := Open(ctx, Options{Backend: l.files.backend, Prefix: l.files.prefix, Scratch: l.files.scratch})
	if openErr != nil {
		return nil, openErr
	}
	// Known to be damaged from an earlier reading is what l lacks already.
	for name := range l.without {
		names[name] = true
	}
	now.without = names
	now.manifest = now.manifest.clone()
	now.manifest.drop(names)
	return now, nil
}
