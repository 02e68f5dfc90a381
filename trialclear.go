package replication

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/objrepl/replication/backend"
)

// trialPrefix returns the prefix of the trial, of one under the given prefix, that
// a key belongs to.
func trialPrefix(key, prefix string) (string, bool) {
	rest, ok := strings.CutPrefix(key, prefix+probeName)
	name, _, below := strings.Cut(rest, "/")
	if !ok || !below || len(name) != probeRandom || strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") != "" {
		return "", false
	}
	return prefix + probeName + name + "/", true
}

// trialDeletions is how many objects of a trial are removed at once.
const trialDeletions = 8

// clearTrial removes every object and every known upload under the prefix of a
// trial, and returns how many objects there were. The error says what is left, which
// is also what no object is and what is under a directory that cannot be read.
func (r *Replicator) clearTrial(ctx context.Context, b backend.Backend, journal *trialJournal, prefix string) (int, error) {
	// Whatever a damaged journal says, nothing else is ever deleted.
	under := prefix[:max(strings.LastIndex(prefix, probeName), 0)] // the place may have such a name too
	if own, ok := trialPrefix(prefix, under); !ok || own != prefix {
		return 0, fmt.Errorf("%q is no prefix of a trial", prefix)
	}
	var removed int
	var left []error
	err := r.list(ctx, b, prefix, func(page []backend.Object) error {
		errs := make([]error, len(page))
		var deletions errgroup.Group
		deletions.SetLimit(trialDeletions)
		for i, o := range page {
			if o.Problem != nil && (strings.HasPrefix(o.Key, prefix) || strings.HasPrefix(prefix, o.Key)) {
				errs[i] = fmt.Errorf("%q: %w", o.Key, o.Problem)
			}
			if o.Problem != nil || !strings.HasPrefix(o.Key, prefix) {
				continue
			}
			removed++
			deletions.Go(func() error {
				errs[i] = r.again.call(ctx, func() error { return b.Delete(ctx, o.Key, backend.DeleteOptions{}) })
				if errors.Is(errs[i], fs.ErrNotExist) {
					errs[i] = nil
				}
				return nil
			})
		}
		_ = deletions.Wait() // each has its error in its place
		for _, err := range errs {
			if err != nil {
				left = append(left, err)
			}
		}
		return nil
	})
	if len(left) > 0 {
		err = errors.Join(err, fmt.Errorf("%d entries are left behind under %q, the first: %w", len(left), prefix, left[0]))
	}
	for key, ids := range journal.uploads(prefix) {
		if abortErr := r.abortTrial(ctx, b, key, ids); abortErr != nil {
			err = errors.Join(err, fmt.Errorf("an upload of %q may be left behind: %w", key, abortErr))
		}
	}
	return removed, err
}

// abortTrial aborts the uploads of one key, all of which are a trial's: those that
// the store lists or, where it does not or there is no permission to ask, those
// whose ids are known; empty ones are not.
func (r *Replicator) abortTrial(ctx context.Context, b backend.Backend, key string, ids []string) error {
	uploader, ok := backend.As[backend.PartUploader](b)
	if !ok {
		return nil
	}
	if lister, ok := backend.As[backend.UploadLister](b); ok {
		var listed []backend.Upload
		err := r.again.call(ctx, func() (err error) {
			listed, err = lister.ListUploads(ctx, key)
			return err
		})
		if err == nil {
			ids = nil
		} else if !errors.Is(err, fs.ErrPermission) {
			return err
		}
		for _, u := range listed {
			ids = append(ids, u.ID)
		}
	}
	for _, id := range ids {
		if id == "" {
			continue
		}
		if err := r.again.call(ctx, func() error {
			part, err := uploader.UploadParts(ctx, key, backend.PartsOptions{ID: id, PartSize: b.Properties().Parts.Size(1<<30, 8<<20)})
			if err == nil {
				err = part.Abort(ctx)
			}
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			return err
		}); err != nil {
			return err
		}
	}
	return nil
}

// list goes through the objects under a prefix, and goes on where a request
// failed in a way that passes.
func (r *Replicator) list(ctx context.Context, b backend.Backend, prefix string, each func([]backend.Object) error) error {
	after := ""
	return r.again.do(ctx, func() (progress bool, err error) {
		for page, err := range b.List(ctx, backend.ListOptions{Prefix: prefix, After: after}) {
			if err != nil {
				return progress, err
			}
			if len(page) == 0 {
				continue
			}
			if err := each(page); err != nil {
				return progress, err
			}
			progress, after = true, page[len(page)-1].Key
		}
		return progress, nil
	})
}
