package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/objrepl/replication"
)

// maxShownFailures bounds the failures listed after a pass.
const maxShownFailures = 10

// runPass runs one pass, shows its progress and prints its result: also that of
// a pass which failed or was interrupted, for what it did is done. Named passes
// show whose they are.
func (a *app) runPass(ctx context.Context, named bool, pass func(context.Context, *replication.Replicator) (replication.SyncResult, error)) error {
	meter := a.startMeter(named)
	defer meter.Stop()
	opts := meter.options()
	if a.verbose {
		opts = append(opts, a.observing())
	}
	return a.with(ctx, func(ctx context.Context, r *replication.Replicator) error {
		res, err := pass(ctx, r)
		meter.Stop()
		if !began(res, err) {
			return err
		}
		return withError(a.summedUp(err, res), a.printResult(res))
	}, opts...)
}

// began reports whether a pass got as far as having a result: one that could
// not be locked or could not reach a store has none.
func began(res replication.SyncResult, err error) bool {
	if res.PolicyID == "" || errors.Is(err, replication.ErrLocked) {
		return false
	}
	for _, class := range []error{replication.ErrObjectsFailed, replication.ErrBrake, replication.ErrEmptySource, context.Canceled} {
		if errors.Is(err, class) {
			return true
		}
	}
	return err == nil || res.Synced+res.Adopted+res.Deleted+res.Failed+res.Skipped > 0
}

func (a *app) printResult(res replication.SyncResult) error {
	for i, e := range res.Errors {
		if i == maxShownFailures {
			break
		}
		a.console.Printf("failed: %s\n", oneLine(failure(res, e)))
	}
	if more := res.Failed - int64(min(len(res.Errors), maxShownFailures)); more > 0 {
		where := ""
		if res.FailuresFile != "" {
			where = ", all are listed in " + res.FailuresFile
		}
		a.console.Printf("failed: %s more%s\n", humanCount(more), where)
	}
	return a.print(res, func(t *table) { t.line("%s", summary(res)) })
}

// summedUp is the error of a pass whose failed objects are listed: it does not
// repeat the first of them, and says where all are.
func (a *app) summedUp(err error, res replication.SyncResult) error {
	switch {
	case !errors.Is(err, replication.ErrObjectsFailed), errors.Is(err, replication.ErrBrake), errors.Is(err, replication.ErrEmptySource):
		return err
	case res.PolicyID == allPolicies:
		return &hinted{err, a.seeAlso("replication status")}
	}
	text := err.Error()
	if len(res.Errors) > 0 {
		text = strings.Replace(text, fmt.Sprintf(", the first is %q: %v", res.Errors[0].Key, res.Errors[0].Err), "", 1)
	}
	return &hinted{&reworded{err, text}, a.seeAlso("replication failures --id=" + res.PolicyID)}
}

// allPolicies is the id that the sums of SyncAll have.
const allPolicies = "all"

// failure leaves out the policy where all failures are of the same one.
func failure(res replication.SyncResult, e *replication.ObjectError) string {
	if e.PolicyID != res.PolicyID {
		return e.Error()
	}
	return fmt.Sprintf("%q: %v", e.Key, e.Err)
}

// summary says what a pass did.
func summary(res replication.SyncResult) string {
	var b strings.Builder
	fmt.Fprintf(&b, "synced %s (%s%s)", objects(res.Synced), humanBytes(res.BytesTotal), inStore(res))
	if res.Adopted > 0 {
		fmt.Fprintf(&b, ", found equal %s", humanCount(res.Adopted))
	}
	fmt.Fprintf(&b, ", deleted %s, unchanged %s", humanCount(res.Deleted), humanCount(res.Skipped-res.Special))
	if res.Special > 0 {
		fmt.Fprintf(&b, ", special files skipped %s", humanCount(res.Special))
	}
	fmt.Fprintf(&b, ", failed %s in %s", humanCount(res.Failed), roundDuration(res.Duration))
	return b.String()
}

// inStore says how much the store has copied by itself.
func inStore(res replication.SyncResult) string {
	switch {
	case res.BytesInStore == 0:
		return ""
	case res.BytesInStore == res.BytesTotal:
		return ", copied by the store itself"
	}
	return fmt.Sprintf(", %s of it copied by the store itself", humanBytes(res.BytesInStore))
}

func objects(n int64) string {
	if n == 1 {
		return "1 object"
	}
	return humanCount(n) + " objects"
}
