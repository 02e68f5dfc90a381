package replication

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/objrepl/replication/backend"
)

const (
	// journalAge is how long a journal stays at most when its object keeps
	// failing.
	journalAge = 30 * 24 * time.Hour
	// clockSkew is how much earlier than by our clock an upload can have been
	// begun by the store's. S3 refuses requests whose time is more than 15
	// minutes off; the rest is for what is rounded
	// (https://docs.aws.amazon.com/AmazonS3/latest/API/RESTAuthentication.html).
	clockSkew = 16 * time.Minute
	// requestAge is how long after it was signed a request can still take
	// effect: 15 minutes by the store's clock, which may be as much behind ours.
	requestAge = 2 * clockSkew
)

// errStays: an upload stays, and nothing that this policy can do will change it.
var errStays = errors.New("an unfinished upload may stay at the store until somebody, or the store itself, aborts it")

// unfinished are the uploads in parts that a policy's journals know of, and the
// way to get rid of them.
type unfinished struct {
	journals journals
	uploader backend.PartUploader // nil where the destination takes no parts
	lister   backend.UploadLister // nil where it cannot list uploads
	location string               // of the destination
	again    retrier
	late     time.Duration // how long a request of a killed process may be on its way
}

func (r *Replicator) newUnfinished(destination *endpoint, state *policyState) unfinished {
	uploader, _ := backend.As[backend.PartUploader](destination.Backend)
	lister, _ := backend.As[backend.UploadLister](destination.Backend)
	return unfinished{journals{state}, uploader, lister, destination.props.Location, r.again, r.late}
}

// abandon aborts the upload of a journal, and those that its owner may have
// begun without having learned their ids. After nil and errStays the journal is
// of no more use.
func (u *unfinished) abandon(ctx context.Context, j uploadJournal) error {
	if u.uploader == nil || j.Destination != u.location {
		return fmt.Errorf("%w: the policy no longer writes to %s", errStays, j.Destination)
	}
	if j.Upload != "" {
		if err := u.abort(ctx, j.Key, backend.PartsOptions{ID: j.Upload, PartSize: j.PartSize}); err != nil {
			return err
		}
	}
	if j.UnknownSince.IsZero() {
		return nil
	}
	return u.abortUnknown(ctx, j)
}

func (u *unfinished) abort(ctx context.Context, key string, opts backend.PartsOptions) error {
	err := u.again.call(ctx, func() error {
		upload, err := u.uploader.UploadParts(ctx, key, opts)
		if err == nil {
			err = upload.Abort(ctx)
		}
		return err
	})
	if absent(err) {
		return nil
	}
	return err
}

// abortUnknown aborts the uploads of a journal's key that can be ours: those
// without any part, since no part of ours is put before the id of its upload is
// in the journal, and not begun before we could have begun them. Whoever else
// began such an upload loses no byte by it, and begins another.
func (u *unfinished) abortUnknown(ctx context.Context, j uploadJournal) error {
	if u.lister == nil {
		return fmt.Errorf("%w: the beginning of one was never answered, and the store lists none", errStays)
	}
	var uploads []backend.Upload
	err := u.again.call(ctx, func() (err error) {
		uploads, err = u.lister.ListUploads(ctx, j.Key)
		return err
	})
	if errors.Is(err, errors.ErrUnsupported) {
		return fmt.Errorf("%w: the beginning of one was never answered: %w", errStays, err)
	}
	for _, found := range uploads {
		if !found.Begun.IsZero() && found.Begun.Before(j.UnknownSince.Add(-clockSkew)) {
			continue
		}
		opts := backend.PartsOptions{ID: found.ID, PartSize: j.PartSize}
		empty, partsErr := u.empty(ctx, j.Key, opts)
		if partsErr == nil && empty {
			partsErr = u.abort(ctx, j.Key, opts)
		}
		err = errors.Join(err, partsErr)
	}
	return err
}

// empty reports whether an upload is there and has no part.
func (u *unfinished) empty(ctx context.Context, key string, opts backend.PartsOptions) (bool, error) {
	var parts []backend.Part
	err := u.again.call(ctx, func() error {
		upload, err := u.uploader.UploadParts(ctx, key, opts)
		if err == nil {
			parts, err = upload.Parts(ctx)
		}
		return err
	})
	if absent(err) {
		return false, nil
	}
	return err == nil && len(parts) == 0, err
}

// attrs name the upload of a journal in a log line.
func (j uploadJournal) attrs(policy string, err error) []any {
	return []any{slog.String("policy", policy), slog.String("store", j.Destination), slog.String("key", j.Key), slog.String("upload", j.Upload), slog.Any("error", err)}
}

// sweepUploads aborts, after a scan, the uploads that nobody will go on with:
// all but those of objects that failed and may be copied by the next pass. What
// cannot be aborted now is left to that.
func (p *pass) sweepUploads(ctx context.Context) {
	err := p.parts.journals.all(ctx, func(j uploadJournal, written time.Time) {
		if ctx.Err() == nil && (!p.goesOn(j.Key) || time.Since(written) >= journalAge) {
			p.endJournal(ctx, j)
		}
	})
	if err != nil {
		p.log.Warn("could not look for unfinished uploads", "policy", p.policy.ID, "error", err)
	}
}

// goesOn reports whether a later pass may go on with an upload. A replay does
// not know it of what it did not try.
func (p *pass) goesOn(key string) bool {
	relative, ours := p.destination.relative(key)
	return p.options.replay || ours && p.dead.mayGoOn(p.source.key(relative))
}

// mayComeLate reports whether a request of a process that was killed, or whose
// answer was lost, can still begin an upload that a journal is to blame for.
func (u *unfinished) mayComeLate(j uploadJournal) bool {
	return u.lister != nil && j.Destination == u.location && time.Since(j.UnknownUntil) < u.late
}

// abandon aborts what a journal knows of and reports whether it is gone, or
// nothing here will ever make it go.
func (p *pass) abandon(ctx context.Context, j uploadJournal) bool {
	err := p.parts.abandon(ctx, j)
	if errors.Is(err, errStays) {
		p.log.Warn("an unfinished upload is left to others", j.attrs(p.policy.ID, err)...)
		return true
	}
	if err != nil {
		p.log.Warn("could not abort an unfinished upload; the next pass tries again", j.attrs(p.policy.ID, err)...)
	}
	return err == nil
}

// endJournal ends with an upload that is complete, and has no id any more, or of
// no use. Its journal stays, without the id, as long as there may be others that
// it is to blame for. One that cannot be removed is of no harm: the next pass
// aborts what is not there.
func (p *pass) endJournal(ctx context.Context, j uploadJournal) {
	if !p.abandon(ctx, j) {
		return
	}
	j.Upload = ""
	end := func() error { return p.parts.journals.remove(ctx, j.Key) }
	if p.parts.mayComeLate(j) {
		end = func() error { return p.parts.journals.write(ctx, j) }
	}
	if err := end(); err != nil {
		p.log.Warn("could not end the journal of an upload", "policy", p.policy.ID, "key", j.Key, "error", err)
	}
}

// abortUploads aborts the unfinished uploads of a policy that is going to be
// removed, whose lock the caller holds. The error names each one that stays.
func (r *Replicator) abortUploads(ctx context.Context, p Policy, state *policyState) error {
	js := journals{state}
	var left []uploadJournal
	err := js.all(ctx, func(j uploadJournal, _ time.Time) { left = append(left, j) })
	if len(left) == 0 || err != nil {
		return err
	}
	destination, down := r.openEndpoint(ctx, "destination", p.DestinationBackend, p.DestinationSettings, p.destinationPrefix())
	var u unfinished
	if down == nil {
		defer destination.Close()
		u = r.newUnfinished(destination, state)
	}
	var errs []error
	for _, j := range left {
		err := down
		if err == nil {
			err = u.abandon(ctx, j)
		}
		if err == nil {
			errs = append(errs, js.remove(ctx, j.Key))
			continue
		}
		if outOfReach(err) {
			down = err // of one that is away the others are not asked for
		}
		r.config.logger.Warn("an unfinished upload stays at the destination of a policy that is to be removed", j.attrs(p.ID, err)...)
		errs = append(errs, fmt.Errorf("unfinished upload %q of %q in %s: %w", j.Upload, j.Key, j.Destination, err))
	}
	return errors.Join(errs...)
}
