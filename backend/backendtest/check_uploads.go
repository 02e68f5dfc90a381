package backendtest

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/objrepl/replication/backend"
)

var uploadChecks = []Check{
	{"uploads", "the uploads of a key are listed from their beginning to their end, those without parts too", checkUploads},
	{"uploads-key", "uploads of other keys are not among them, whatever the keys have in common", checkUploadsKey},
	{"uploads-begun", "an upload was begun when it was begun", checkUploadsBegun},
}

// uploadSkew is what clocks differ at most: S3 refuses requests whose time is
// more than 15 minutes off
// (https://docs.aws.amazon.com/AmazonS3/latest/API/RESTAuthentication.html).
const uploadSkew = 16 * time.Minute

// listUploads returns the uploads of a key by id.
func (e *env) listUploads(ctx context.Context, key string) (map[string]backend.Upload, error) {
	lister, ok := backend.As[backend.UploadLister](e.inner)
	if !ok {
		return nil, e.skip("the backend is no UploadLister")
	}
	list, err := lister.ListUploads(ctx, key)
	if err != nil {
		return nil, ruleUploads.broken("list the uploads of %q: got error %w, want success", key, err)
	}
	out := map[string]backend.Upload{}
	for _, u := range list {
		if _, twice := out[u.ID]; twice || u.ID == "" {
			return nil, ruleUploads.broken("list the uploads of %q: got id %q, twice or empty", key, u.ID)
		}
		out[u.ID] = u
	}
	return out, nil
}

// wantUploads checks that a key has just these uploads.
func (e *env) wantUploads(ctx context.Context, when, key string, want ...string) error {
	got, err := e.listUploads(ctx, key)
	if err != nil {
		return err
	}
	for id := range got {
		if !slices.Contains(want, id) {
			return ruleUploads.broken("uploads of %q %s: got %q, want %q", key, when, id, want)
		}
	}
	if len(got) != len(want) {
		return ruleUploads.broken("uploads of %q %s: got %d, want %q", key, when, len(got), want)
	}
	return nil
}

func checkUploads(ctx context.Context, e *env) error {
	key := e.key("object")
	if err := e.wantUploads(ctx, "that has none", key); err != nil {
		return err
	}
	first, err := e.upload(ctx, key, backend.Metadata{})
	if err != nil {
		return err
	}
	defer first.end(ctx)
	if err := e.wantUploads(ctx, "without parts", key, first.ID()); err != nil {
		return err
	}
	second, parts, err := e.oneSmall(ctx, key, e.bytes(1000))
	if err != nil {
		return err
	}
	defer second.end(ctx)
	if err := e.wantUploads(ctx, "of which one has a part", key, first.ID(), second.ID()); err != nil {
		return err
	}
	// What is listed can be gone on with.
	other, err := e.open(ctx)
	if err != nil {
		return fmt.Errorf("open the store again: %w", err)
	}
	defer other.Close()
	uploader, _ := backend.As[backend.PartUploader](other)
	again, err := uploader.UploadParts(ctx, key, backend.PartsOptions{ID: first.ID(), PartSize: first.size})
	if err == nil {
		err = again.Abort(ctx)
	}
	if err := ruleUploads.wantOK("abort of an upload that was listed", err); err != nil {
		return err
	}
	if err := e.wantUploads(ctx, "after the abort of one", key, second.ID()); err != nil {
		return err
	}
	if _, err := second.Complete(ctx, parts, backend.Condition{}); err != nil {
		return ruleComplete.broken("complete %q: got error %w, want success", key, err)
	}
	return e.wantUploads(ctx, "that is complete", key)
}

func checkUploadsKey(ctx context.Context, e *env) error {
	begun := map[string]string{}
	for _, name := range []string{"a", "a b", "a+b", "a%2Bb", "a&b=c", "aa", "a/b", "ä"} {
		key := e.key(name)
		if check := e.Properties().CheckKey; check != nil && check(key) != nil {
			continue
		}
		u, err := e.upload(ctx, key, backend.Metadata{})
		if err != nil {
			return err
		}
		defer u.end(ctx)
		begun[key] = u.ID()
	}
	for key, id := range begun {
		if err := e.wantUploads(ctx, "beside those of like keys", key, id); err != nil {
			return err
		}
	}
	return e.wantUploads(ctx, "that is only the beginning of others", e.prefix[:len(e.prefix)-1])
}

func checkUploadsBegun(ctx context.Context, e *env) error {
	key := e.key("object")
	before := time.Now().Add(-uploadSkew)
	u, err := e.upload(ctx, key, backend.Metadata{})
	if err != nil {
		return err
	}
	defer u.end(ctx)
	got, err := e.listUploads(ctx, key)
	if err != nil {
		return err
	}
	begun := got[u.ID()].Begun
	if begun.IsZero() {
		e.note("the store does not say when an upload was begun")
		return nil
	}
	if after := time.Now().Add(uploadSkew); begun.Before(before) || begun.After(after) {
		return ruleUploads.broken("an upload of %q begun now: got %v, want between %v and %v", key, begun, before, after)
	}
	return nil
}
