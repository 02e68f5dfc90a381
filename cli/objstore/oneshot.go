package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"

	"github.com/objrepl/replication"
)

// A oneShot is a sync of two places that no policy is stored of.
type oneShot struct{ from, to location }

// places reads SRC and DST.
func (a *app) places(args []string) (s oneShot, err error) {
	if s.from, err = parseLocation(args[0]); err != nil {
		return s, usagef(locationHint(err), "SRC: %w", err)
	}
	if s.to, err = parseLocation(args[1]); err != nil {
		return s, usagef(locationHint(err), "DST: %w", err)
	}
	a.warnOfSecrets(s.from.backend, s.from.settings)
	a.warnOfSecrets(s.to.backend, s.to.settings)
	return s, nil
}

func locationHint(err error) string {
	if h := hintFor(err, nil); h != "" {
		return h
	}
	return "see 'objstore sync --help'"
}

// checkSource keeps a misspelt path from being taken for an empty source.
func (s oneShot) checkSource() error {
	if s.from.backend != "local" {
		return nil
	}
	info, err := os.Stat(s.from.settings["path"])
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("SRC: directory %q does not exist", s.from.shown)
	case err != nil:
		return fmt.Errorf("SRC: %w", err)
	case !info.IsDir():
		return fmt.Errorf("SRC: %q is not a directory; 'objstore put' copies a single file", s.from.shown)
	}
	return nil
}

// policy completes what is replicated, and how, with where.
func (s oneShot) policy(ctx context.Context, r *replication.Replicator, p replication.Policy) (_ replication.Policy, err error) {
	p.ID, err = s.id(ctx, r)
	p.Enabled = true
	p.SourceBackend, p.SourceSettings = s.from.backend, s.from.settings
	p.DestinationBackend, p.DestinationSettings = s.to.backend, s.to.settings
	p.SourcePrefix, p.DestinationPrefix = mapPrefix(s.from.prefix, s.to.prefix)
	return p, err
}

// wrap names the places in an error of a pass or a plan: the id tells a person
// nothing.
func (s oneShot) wrap(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("sync %s to %s: %w", s.from.shown, s.to.shown, err)
}

var isOneShot = regexp.MustCompile(`^sync-[0-9a-f]{12}$`).MatchString

// id derives the id of a one-shot sync from the places of its two sides, so
// that the next one finds the ledger of this one. Credentials, filters and modes
// are not part of it: they may change from run to run.
func (s oneShot) id(ctx context.Context, r *replication.Replicator) (string, error) {
	sum := sha256.New()
	for _, l := range []location{s.from, s.to} {
		where, err := identity(ctx, r, l)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(sum, "%q %q\n", where, l.prefix)
	}
	return "sync-" + hex.EncodeToString(sum.Sum(nil)[:6]), nil
}

// identity names the place of a location in one spelling, whatever path or
// driver leads there.
func identity(ctx context.Context, r *replication.Replicator, l location) (string, error) {
	if l.backend == "memory" {
		return l.shown, nil // its Location is another one in every process
	}
	b, err := r.OpenBackend(ctx, l.backend, l.settings)
	if err != nil {
		return "", err
	}
	where := b.Properties().Location
	if where == "" {
		where = l.shown
	}
	return where, b.Close()
}

// mapPrefix turns "what is below from goes below to" into the fields of a
// policy, where an empty destination prefix means that keys stay as they are.
func mapPrefix(from, to string) (source, destination string) {
	if from != "" && to == "" {
		return from, "/"
	}
	return from, to
}
