package replication

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"time"

	"github.com/objrepl/replication/backend"
)

// trialAge is how old a trial is that cannot be under way any more.
const trialAge = 24 * time.Hour

// clearEarlier removes what earlier trials left that the journal has, since the
// lock says that they have ended. What may not be removed, or is no object, is
// left to whoever made it so; it hinders no other trial.
func (r *Replicator) clearEarlier(ctx context.Context, e *endpoint, journal *trialJournal, prefix string, t *Trial) error {
	earlier, err := journal.load()
	if err != nil {
		return err
	}
	// What asking for conditions left is noted beside their answers.
	if err := newGuards(newEndpoint(e.Backend, e.role, e.name, prefix), r.state, r.again, r.config.logger).sweep(ctx); err != nil {
		return err
	}
	for _, prefix := range earlier {
		if err := r.dropTrial(ctx, e, journal, prefix, t); err != nil {
			return err
		}
	}
	return nil
}

func (r *Replicator) dropTrial(ctx context.Context, e *endpoint, journal *trialJournal, prefix string, t *Trial) error {
	n, err := r.clearTrial(ctx, e.Backend, journal, prefix)
	t.Removed += n
	switch {
	case err == nil:
		return journal.forget(prefix)
	case errors.Is(err, fs.ErrPermission), errors.Is(err, backend.ErrNotRegular):
		r.config.logger.Warn("an earlier trial left what cannot be removed", "store", e.props.Location, "prefix", prefix, "error", err)
		return nil
	}
	return fmt.Errorf("remove what an earlier trial left: %w", err)
}

// otherTrials finds the trials of other state directories, by when something of
// them was last written as the store says, which is zero where it does not say it
// of everything. It sees as well that nothing is there yet of the one to begin.
func (r *Replicator) otherTrials(ctx context.Context, e *endpoint, prefix string) (map[string]time.Time, error) {
	newest := map[string]time.Time{}
	err := r.list(ctx, e.Backend, prefix+probeName, func(page []backend.Object) error {
		for _, o := range page {
			place, ok := trialPrefix(o.Key, prefix)
			if !ok {
				continue
			}
			at, seen := newest[place]
			if !seen || o.Modified.IsZero() || !at.IsZero() && at.Before(o.Modified) {
				newest[place] = o.Modified
			}
		}
		return nil
	})
	if _, taken := newest[e.prefix]; taken && err == nil {
		err = fmt.Errorf("prefix %q of %s is not empty", e.prefix, e.props.Location)
	}
	return newest, err
}

// clearOthers removes other trials once nothing of them is younger than a day at
// now, both by the store's clock: this machine's may be wrong. Those of which
// nobody knows stay.
func (r *Replicator) clearOthers(ctx context.Context, e *endpoint, journal *trialJournal, others map[string]time.Time, now time.Time, t *Trial) error {
	for _, place := range slices.Sorted(maps.Keys(others)) {
		if at := others[place]; at.IsZero() || now.Sub(at) < trialAge {
			t.Others = append(t.Others, place)
		} else if err := r.dropTrial(ctx, e, journal, place, t); err != nil {
			return err
		}
	}
	return nil
}
